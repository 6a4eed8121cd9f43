"""Applications: data, model, loss, metrics and showcase come together."""
