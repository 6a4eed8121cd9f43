"""The command line as a user meets it, in real processes."""

import os
import pathlib
import subprocess
import sys

import pytest

from tests.launcher import Launcher

ROOT = pathlib.Path(__file__).parents[1]
CONFIG = "--config=experiments/char_lm.py"
SMALL = [
  "--config.batch_size=4",
  "--config.window=8",
  "--config.steps=6",
  "--config.model.hidden_size=8",
  "--config.model.embed_size=4",
  "--config.eval_batch_size=4",
  "--config.showcase.num_tokens=10",
]


def launch(*arguments, cwd=ROOT):
  environment = {**os.environ, "PYTHONPATH": str(ROOT)}
  environment.pop("JAX_NUM_CPU_DEVICES", None)
  return subprocess.run(
    [sys.executable, "-m", "seqjax.launch", *map(str, arguments)],
    cwd=cwd,
    env=environment,
    capture_output=True,
    text=True,
    timeout=120,
  )


@pytest.fixture(scope="module")
def forked():
  """`launch` in a process that has imported everything before."""
  with Launcher() as launcher:
    yield launcher


@pytest.fixture(scope="module")
def files(tmp_path_factory):
  """Texts, good and bad, and a finished run."""
  root = tmp_path_factory.mktemp("launch")
  (root / "good.txt").write_text("hello world, said the fox\n" * 50)
  (root / "bad.txt").write_bytes(b"hello \xff world")
  (root / "empty.txt").write_text("")
  (root / "short.txt").write_text("hello")
  (root / "file").write_text("not a folder")
  (root / "faulty.py").write_text(
    "# what is wrong here\n\ndef get_config():\n  return 1 / 0\n"
  )
  (root / "broken.py").write_text("# this too\ndef get_config(:\n")
  (root / "nothing.py").write_text("x = 1\n")
  (root / "other.py").write_text("def get_config():\n  return 1\n")
  data = f"--config.data.path={root}/good.txt"
  done = launch(CONFIG, *SMALL, data, f"--workdir={root}/run")
  assert done.returncode == 0, done.stderr
  return root


MISTAKES = {
  "unknown field": (
    [CONFIG, "--config.model.hiden_size=3"],
    "--config.model.hiden_size is no field of this config; did you mean"
    " --config.model.hidden_size",
  ),
  "unknown section": (
    [CONFIG, "--config.modle.hidden_size=3"],
    "did you mean --config.model.hidden_size",
  ),
  "nothing like it": (
    [CONFIG, "--config.zzzz=3"],
    "--config.zzzz is no field of this config; the fields are ",
  ),
  "wrong type": (
    [CONFIG, "--config.steps=many"],
    "flag --config.steps=many: invalid literal for int()",
  ),
  "unknown flag": (
    [CONFIG, "--wokdir=x"],
    "--wokdir is no option of --mode=train; did you mean --workdir",
  ),
  "no flag": ([CONFIG, "stray"], "'stray' is no flag"),
  "no config": ([], "--config is missing; name an experiment"),
  "an empty config": (["--config="], "--config= cannot be read; name an exp"),
  "no config file": (
    ["--config=experiments/nope.py"],
    "--config=experiments/nope.py cannot be read",
  ),
  "no config file, but fields": (
    ["--config=experiments/nope.py", "--config.steps=3"],
    "--config=experiments/nope.py cannot be read",
  ),
  "no such experiment": (
    ["--config=char_ml"],
    "--config=char_ml is no experiment; did you mean char_lm",
  ),
  "no such experiment, but fields": (
    ["--config", "zzzz:tinyshakespeare", "--config.steps=3"],
    "--config=zzzz is no experiment; expected a file, or one of ball, caption,",
  ),
  "unknown variant of a name": (
    ["--config=char_lm:shakespear"],
    "--config=char_lm:shakespear: 'shakespear' is no variant of char_lm,",
  ),
  "unknown field of a name": (
    ["--config", "char_lm", "--config.stpes=3"],
    "did you mean --config.steps",
  ),
  "unknown variant": (
    ["--config=experiments/char_lm.py:shakespear"],
    "'shakespear' is no variant of experiments/char_lm.py, expected one of"
    " pydoc, stdlib, tinyshakespeare",
  ),
  "unknown cell": (
    [CONFIG, "--config.model.cell=lstmm"],
    "config.model.cell is 'lstmm', expected one of",
  ),
  "variant of any file": (
    ["--config=experiments/sentiment.py:nope"],
    "'nope' is no variant of experiments/sentiment.py, expected one of"
    " reviews, sst2, reviews_transformer, sst2_transformer",
  ),
  "unknown text": (
    [CONFIG, "--config.data.name=shakespear"],
    "config.data.name is 'shakespear', expected one of pydoc, stdlib,",
  ),
  "a faulty config": (
    ["--config={root}/faulty.py"],
    "faulty.py:4: ZeroDivisionError: division by zero",
  ),
  "a config that is no Python": (
    ["--config={root}/broken.py"],
    "broken.py:2: invalid syntax",
  ),
  "a config without get_config": (
    ["--config={root}/nothing.py"],
    "nothing.py has no get_config()",
  ),
  "a config that returns something else": (
    ["--config={root}/other.py"],
    "get_config returns int, expected an ml_collections.ConfigDict",
  ),
  "bad size": (
    [CONFIG, "--config.model.hidden_size=-1"],
    "hidden_size is -1, expected a positive integer",
  ),
  "unknown task": (
    [CONFIG, "--config.task=poetry"],
    "config.task is 'poetry', expected one of aligned, captioning,",
  ),
  "missing file": (
    [CONFIG, "--config.data.path={root}/nope.txt"],
    "nope.txt: cannot be read (No such file or directory)",
  ),
  "empty file": (
    [CONFIG, "--config.data.path={root}/empty.txt"],
    "empty.txt: the file is empty",
  ),
  "bad bytes": (
    [CONFIG, "--config.data.path={root}/bad.txt"],
    "bad.txt: byte 0xff at offset 6 is not valid UTF-8",
  ),
  "short text": (
    [CONFIG, "--config.data.path={root}/short.txt"],
    "expected more than batch_size x window = 64 x 128 = 8192",
  ),
  "devices": (
    [CONFIG, "--num_cpu_devices=5"],
    "config.batch_size is 64, which 5 devices cannot share evenly",
  ),
  "workdir of another config": (
    [CONFIG, "--workdir={root}/run"],
    "was made by another config: batch_size was 4 and is 64; data.path was",
  ),
  "workdir is a file": (
    [CONFIG, "--workdir={root}/file"],
    "file cannot be written",
  ),
  "nothing to generate from": (
    ["--mode=generate", "--workdir={root}/nothing"],
    "nothing holds no config.json; train with this --workdir first",
  ),
  "unknown mode": (
    ["--mode=generat", "--workdir={root}/run"],
    "--mode is 'generat', expected one of train, cross_validate, evaluate,"
    " generate, complete",
  ),
  "config with a mode": (
    ["--mode=generate", "--workdir={root}/run", CONFIG],
    "--config is for --mode=train",
  ),
  "a profile of a mode": (
    ["--mode=generate", "--workdir={root}/run", "--profile"],
    "--profile is for --mode=train, --mode=generate has none",
  ),
  "a profile of folds": (
    [CONFIG, "--mode=cross_validate", "--profile"],
    "--profile is for --mode=train, --mode=cross_validate has none",
  ),
  "parts of a batch": (
    [CONFIG, "--config.accumulation_steps=3"],
    "config.accumulation_steps is 3, which does not divide a batch of 64 rows",
  ),
  "decay of the average": (
    [CONFIG, "--config.optimizer.ema_decay=1.0"],
    "config.optimizer.ema_decay is 1.0, expected a rate in [0, 1)",
  ),
  "unknown character": (
    ["--mode=generate", "--workdir={root}/run", "--prompt=hello?"],
    "--prompt holds '?', which the training text does not",
  ),
  "option of another mode, in training": (
    [CONFIG, "--prompt=x"],
    "--prompt is no option of --mode=train",
  ),
  "option of another mode, in evaluation": (
    ["--mode=evaluate", "--workdir={root}/run", "--temperature=5"],
    "--temperature is no option of --mode=evaluate",
  ),
  "option of another mode": (
    ["--mode=complete", "--workdir={root}/run", "--temperature=5"],
    "--temperature is no option of --mode=complete; its options are --prompt,",
  ),
  "a misspelt option": (
    ["--mode=generate", "--workdir={root}/run", "--temprature=5"],
    "--temprature is no option of --mode=generate; did you mean --temperature",
  ),
  "an option of the wrong type": (
    ["--mode=generate", "--workdir={root}/run", "--top_k=many"],
    "flag --top_k=many: invalid literal for int()",
  ),
  "temperature": (
    ["--mode=generate", "--workdir={root}/run", "--temperature=-1"],
    "--temperature is -1.0, expected 0 (greedy) or a positive number",
  ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(files, forked, tmp_path, case):
  arguments, message = MISTAKES[case]
  arguments = [a.format(root=files) for a in arguments]
  if not any(a.startswith("--workdir") for a in arguments):
    arguments.append(f"--workdir={tmp_path}/run")
  result = forked(*arguments)
  assert result.returncode == 2, result.stderr
  assert message in result.stderr
  assert result.stderr.startswith("error: ")
  assert len(result.stderr.strip().splitlines()) == 1
  assert not (tmp_path / "run" / "config.json").exists()


def test_workdir_is_required():
  result = launch(CONFIG)
  assert result.returncode == 2
  assert result.stderr == "error: --workdir is missing; name a run directory\n"


def test_help():
  result = launch("--help")
  assert result.returncode == 0
  assert "--mode=generate" in result.stdout
  assert "--num_cpu_devices" in result.stdout
  for path in sorted((ROOT / "experiments").glob("*.py")):
    assert f"\n  {path.stem}: " in result.stdout
  assert "pydoc, stdlib, tinyshakespeare" in result.stdout


def test_help_for_an_experiment(forked):
  result = forked(CONFIG, "--help")
  assert result.returncode == 0, result.stderr
  assert "--config.model.hidden_size=256\n" in result.stdout
  assert "--mode=generate: Writes text" in result.stdout
  assert "--temperature=1.0  below 1 is safer" in result.stdout
  result = forked("--config=experiments/forecast.py", "--help")
  assert "--output=''  folder for" in result.stdout


def test_a_study_has_no_modes(forked, tmp_path):
  study = [
    "--config=experiments/gradient_norms.py",
    "--config.lengths=(4,)",
    "--config.num_seeds=1",
    "--config.model.hidden_size=4",
    f"--workdir={tmp_path}",
  ]
  # A mistake leaves nothing behind that the mended command would trip over.
  result = forked(*study, "--config.num_seeds=0")
  assert result.returncode == 2
  assert "config.num_seeds is 0, expected a whole number >= 1" in result.stderr
  result = forked(*study, "--mode=cross_validate")
  assert result.returncode == 2
  assert "--mode=cross_validate is for tasks, expected" in result.stderr
  result = forked(*study, "--profile")
  assert result.returncode == 2
  assert "--profile is for tasks, expected --mode=train alone" in result.stderr
  result = forked(*study)
  assert result.returncode == 0, result.stderr
  # Points of other settings must not stand beside these.
  result = forked(*study, "--config.num_seeds=2")
  assert result.returncode == 2
  assert "num_seeds was 1 and is 2" in result.stderr
  result = forked("--mode=evaluate", f"--workdir={tmp_path}")
  assert result.returncode == 2
  assert "'gradient_norms', which has no modes; its results are in" in (
    result.stderr
  )


def test_a_study_that_trains_says_mistakes_before(forked, tmp_path):
  study = "--config=sentence_length", f"--workdir={tmp_path}"
  for flag, message in (
    ("--config.experiment=translat", "translat is no experiment; did you mean"),
    ("--config.data.path=/no/such", "/no/such, which does not exist"),
    ("--config.changes.batch_size=0", "changes.batch_size is no field of"),
    ("--config.bins=(2,3)", "config.bins is (2, 3), expected growing"),
  ):
    result = forked(*study, flag)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
  assert not list(tmp_path.glob("*/config.json"))


def test_generate_and_evaluate(files):
  """Generation needs neither the data nor the config file."""
  workdir = f"--workdir={files}/run"
  generate = ["--mode=generate", workdir, "--prompt=hello", "--num_tokens=30"]
  first, second = launch(*generate), launch(*generate)
  assert first.returncode == 0, first.stderr
  assert first.stdout.startswith("hello")
  assert len(first.stdout) == len("hello") + 30 + 1
  assert first.stdout == second.stdout
  other = launch(*generate, "--seed=1", "--num_samples=2")
  assert other.stdout != first.stdout
  assert other.stdout.count("-" * 79) == 1

  result = launch("--mode=evaluate", workdir)
  assert result.returncode == 0, result.stderr
  assert "validation loss: " in result.stdout
  assert "test perplexity: " in result.stdout
  assert (files / "run" / "evaluation.json").exists()
