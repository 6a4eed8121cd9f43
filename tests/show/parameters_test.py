"""The table of a model's parameters."""

from seqjax.show import parameters


def test_modules_two_levels_deep():
  shapes = {
    "embed.embedding": (10, 4),
    "query": (4,),
    "rnn.layers.0.forward.params.bias": (3,),
    "rnn.layers.0.forward.params.kernel": (4, 3),
    "rnn.layers.1.params.bias": (3,),
    "scale": (),
  }
  assert parameters.table(shapes).splitlines() == [
    "module        arrays    numbers   share",
    "embed         10 x 4         40   63.5%",
    "query         4               4    6.3%",
    "rnn.layers.0  3, 4 x 3       15   23.8%",
    "rnn.layers.1  3               3    4.8%",
    "scale         1               1    1.6%",
    "total         6 arrays       63",
  ]


def test_it_stays_small():
  many = {f"rnn.layers.{i}.bias": (1000,) for i in range(50)}
  assert len(parameters.table(many).splitlines()) == 3
  long = {f"rnn.a{i}": (1000, 1000) for i in range(10)}
  assert "10 arrays" in parameters.table(long)
  assert "total" in parameters.table({})
