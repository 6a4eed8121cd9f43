"""How often XLA was asked for a program."""

import contextlib

import jax


@contextlib.contextmanager
def compilations():
  """Notes each program that is compiled."""
  found = []

  def note(event, _, **about):
    if event == "/jax/core/compile/backend_compile_duration":
      found.append(about)

  jax.monitoring.register_event_duration_secs_listener(note)
  try:
    yield found
  finally:
    jax.monitoring.unregister_event_duration_listener(note)
