"""Sweeps that measure or train many models: `run(config, directory)`."""
