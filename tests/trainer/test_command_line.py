# SPDX-License-Identifier: GPL-3.0-or-later
"""What the arguments mean; runs with a real Blender are in ``test_optimize.py``."""

import io
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import tomli_w
from rich.console import Console

from gdr_core import messages
from gdr_core import settings as settings_module
from gdr_core.errors import BadSettings
from gdr_core.families import Distribution
from gdr_core.roles import Fixed, Optimise
from gdr_core.settings import RunSettings
from trainer import cli
from trainer.cli import optimize, progress

ROOT = Path(__file__).parents[2]
HIDDEN = ["--hidden", "m1=2.25:0.1", "--hidden", "m2=2.25:0.1"]


def settings_of(*argv) -> RunSettings:
    args = cli._parser().parse_args(["optimize", *argv])
    return optimize._settings(args)[0]


def test_the_demo_of_the_readme_is_the_default_run():
    starts = ["--start", "m1=1.2:0.4", "--start", "m2=3.0:0.4"]
    explicit = settings_of(*HIDDEN, *starts, "--out", "x")
    assert explicit == settings_of(*HIDDEN, "--out", "x")
    assert explicit.targets.hidden["m2"] == Distribution(mean=2.25, std=0.1)
    explicit.check()


def test_every_option_reaches_its_setting(tmp_path):
    found = settings_of(
        *("--targets", str(tmp_path), "--start", "n1_1=0.5:0.2", "--start", "m1=1:0.3"),
        *("--family", "n1_1=bounded:0.5:9", "--fix", "n2_1=4", "--batch", "32", "--steps", "7"),
        *("--max-renders", "100", "--size", "128", "--renderer", "solid", "--workers", "2"),
        *("--worker-memory", "900", "--recycle-after", "500"),
        *("--seed", "5", "--device", "cpu", "--estimator", "adversarial", "--out", "x"),
    )
    found.check()
    assert found.targets.folder == str(tmp_path)
    assert found.optimised == ("m1", "n1_1")
    bounded = Distribution(family="bounded", mean=0.5, std=0.2, low=0.5, high=9)
    assert found.sampler().start["n1_1"] == bounded
    assert found.roles["n2_1"] == Fixed(value=4.0)
    training, rendering = found.training, found.rendering
    assert (training.batch, training.steps, training.max_renders) == (32, 7, 100)
    assert (training.size, training.device, found.seed) == (128, "cpu", 5)
    assert (rendering.renderer, rendering.workers) == ("solid", 2)
    assert (rendering.worker_memory, rendering.recycle_after) == (900, 500)


@pytest.mark.parametrize(
    ("argv", "pace"),
    [
        ([], ("regression", 20, 100)),
        (["--steps", "7"], ("regression", 20, 7)),
        (["--estimator", "adversarial"], ("adversarial", 64, 80)),
        (["--estimator", "adversarial", "--batch", "32"], ("adversarial", 32, 80)),
    ],
)
def test_an_estimator_has_its_own_batch_and_steps(argv, pace, tmp_path):
    def paced(*argv):
        training = settings_of(*argv, "--out", "x").training
        return training.estimator, training.batch, training.steps

    assert paced(*HIDDEN, *argv) == pace
    path = tmp_path / "run.toml"
    # What a file says of one estimator is not meant for the other.
    path.write_text('[training]\nestimator = "regression"\nbatch = 10\nsteps = 9\n')
    kept = (pace[0], *((10, 9) if not argv else (10, 7) if "--steps" in argv else pace[1:]))
    assert paced("--config", str(path), *HIDDEN, *argv) == kept


def test_a_renderer_has_its_own_samples(tmp_path):
    def rendering(*argv):
        return settings_of(*HIDDEN, *argv, "--out", "x").rendering

    cycles = rendering("--renderer", "cycles", "--denoise", "--render-device", "cpu")
    assert (cycles.renderer, cycles.denoise, cycles.device) == ("cycles", True, "cpu")
    assert cycles.filled().samples == 32
    assert rendering("--renderer", "cycles", "--samples", "7").samples == 7
    path = tmp_path / "run.toml"
    path.write_text('[rendering]\nrenderer = "solid"\nsamples = 5\n')
    assert rendering("--config", str(path)).samples == 5
    # What a file says of one renderer is not meant for the other.
    assert rendering("--config", str(path), "--renderer", "eevee").samples is None


def test_a_grid_is_that_of_the_image_size_unless_it_is_given():
    assert settings_of(*HIDDEN, "--out", "x").filled().scene.options["grid"] == (100, 100)
    large = settings_of(*HIDDEN, "--size", "256", "--out", "x").filled()
    assert large.scene.options["grid"] == (148, 148)
    given = settings_of(*HIDDEN, "--scene-option", "grid=[50,50]", "--out", "x").filled()
    assert given.scene.options["grid"] == (50, 50)
    with pytest.raises(BadSettings, match="from 8 to 1000"):
        settings_of(*HIDDEN, "--scene-option", "grid=[4,4]", "--out", "x").check()


def test_arguments_win_over_the_config_file(tmp_path):
    base = RunSettings(seed=3, parameters={"m1": Optimise(distribution=Distribution(mean=2.0))})
    path = tmp_path / "run.toml"
    path.write_text(tomli_w.dumps(settings_module.to_dict(base)))
    found = settings_of("--config", str(path), *HIDDEN, "--start", "n1_1=1:0.1", "--out", "x")
    assert (found.seed, found.optimised) == (3, ("m1", "n1_1"))
    assert settings_of("--config", str(path), "--seed", "8", *HIDDEN, "--out", "x").seed == 8


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([*HIDDEN], "Name the run folder to make: --out DIR"),
        (["--out", "x"], "Say what to match: --targets DIR, or --hidden"),
        ([*HIDDEN, "--targets", ".", "--out", "x"], "one of --targets and --hidden"),
        (["--targets", "/does/not/exist", "--out", "OUT"], "There is no folder"),
        (["--hidden", "m1", "--out", "x"], "'m1' is not of the form NAME=VALUE"),
        (["--hidden", "m9=1:1", "--out", "x"], "no parameter named 'm9'"),
        (["--hidden", "m1=1", "--out", "x"], "needs a mean and a spread"),
        (["--hidden", "m1=1:0", "--out", "x"], "spread of m1 is 0.0"),
        (["--hidden", "m1=one:0.1", "--out", "x"], "'one' in 'm1=one:0.1' is not a number"),
        ([*HIDDEN, "--family", "m1=poisson", "--out", "x"], "no family named 'poisson'"),
        ([*HIDDEN, "--family", "m1=normal:1:2", "--out", "x"], "bounds go as m1=bounded:LOW"),
        ([*HIDDEN, "--fix", "m1=1", "--fix", "m2=1", "--out", "x"], "No parameter is optimised"),
        ([*HIDDEN, "--size", "65", "--out", "x"], "choose one of 32, 64, 128, 256"),
        ([*HIDDEN, "--renderer", "povray", "--out", "x"], "no renderer named 'povray'"),
        ([*HIDDEN, "--renderer", "eevee", "--samples", "0", "--out", "x"], "0 samples"),
        ([*HIDDEN, "--render-device", "tpu", "--out", "x"], "no render device named 'tpu'"),
        ([*HIDDEN, "--estimator", "magic", "--out", "OUT"], "no estimator named 'magic'"),
        ([*HIDDEN, "--device", "meta", "--out", "OUT"], "device 'meta' cannot be used"),
        ([*HIDDEN, "--device", "abacus", "--out", "OUT"], "device 'abacus' cannot be used"),
        (["--resume", "x", "--seed", "3"], "--seed cannot be changed when a run is resumed"),
        (["--resume", "x", "--denoise"], "--denoise cannot be changed"),
        (["--resume", "nowhere"], "There is no file nowhere"),
    ],
)
def test_bad_arguments_exit_with_2_and_a_sentence(argv, sentence, capsys, tmp_path):
    argv = [str(tmp_path / "out") if word == "OUT" else word for word in argv]
    assert cli.main(["optimize", "--quiet", *argv]) == 2
    assert sentence in capsys.readouterr().err


def test_an_unknown_option_exits_with_2():
    done = subprocess.run(
        [sys.executable, "-m", "trainer", "optimize", "--magic"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--magic" in done.stderr


def test_the_doctor_works_in_a_python_without_any_package():
    def gdr(*argv):
        command = [sys.executable, "-S", "-m", "trainer", *argv]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    done = gdr("doctor", "--no-blender")
    assert (done.returncode, done.stderr) == (1, "")
    for package in ("torch", "msgspec", "numpy"):
        assert re.search(
            rf"MISSING {package} +not installed\n.* -m pip install {package}", done.stdout
        )
    done = gdr("optimize")
    assert done.returncode == 1
    assert re.match(r"gdr: this Python .* has no \w+; gdr doctor, or Check", done.stderr)


def test_the_bar_shows_everything_on_eighty_columns():
    names = ("m1", "m2")
    bar = progress.Progress(quiet=False, verbose=False)
    bar.observe(messages.Status(status="RUNNING", text="Optimizing on cuda (NVIDIA H100 80GB)"))
    values = dict.fromkeys(names, 2.25)
    bar.observe(
        messages.Progress(
            **{"step": 10, "steps": 80, "renders": 640, "seconds": 9.0, "eta_seconds": 63.2},
            **{"d_real": 0.8, "d_sim": 0.1, "mean": values, "std": values},
        )
    )
    console = Console(width=80, file=io.StringIO())
    console.print(bar._bar.get_renderable())
    lines = console.file.getvalue().splitlines()
    assert re.fullmatch(r"Optimizing on cuda \(.*\) ━+ +10/80 steps, 0:01:03 left *", lines[0])
    assert lines[1].strip() == "640 renders  m1 2.25±2.25 m2 2.25±2.25"


def test_a_notice_is_a_line_of_its_own(capsys):
    with progress.Progress(quiet=False, verbose=False) as bar:
        bar.observe(messages.Status(status="RUNNING", text="Optimizing on cpu"))
        bar.observe(messages.Notice(text="The targets are in another light, " + 60 * "x"))
        for step, converged in ((5, False), (8, True)):
            bar.observe(
                messages.Progress(
                    **{"step": step, "steps": 100, "renders": 160, "seconds": 9.0},
                    **{"eta_seconds": 63.2, "d_real": math.nan, "d_sim": math.nan},
                    **{"mean": {"m1": 2.25}, "std": {"m1": 0.1}, "converged": converged},
                )
            )
    assert capsys.readouterr().err.splitlines() == [
        "Optimizing on cpu",
        "The targets are in another light, " + 60 * "x" + ".",
        "8 of at most 100 steps, 160 renders  m1 2.25±0.10",
    ]


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--params", "m1=nan"], "m1 is fixed at nan; give a finite number"),
        (["--params", "m1"], "'m1' is not of the form NAME=VALUE"),
        (["--params", "m1=1", "--count", "0"], "--count is 0"),
        (["--distribution", "m1=1:0.1", "--seed", "9" * 30], "give a whole number from 0"),
        (["--params", "m1=1", "--size", "4"], "give 8 to 2048 pixels"),
    ],
)
def test_bad_arguments_of_render_exit_with_2_and_a_sentence(argv, sentence, capsys, tmp_path):
    assert cli.main(["render", *argv, "--out", str(tmp_path / "out")]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_help_needs_no_torch():
    code = "import sys; sys.modules['torch'] = None; from trainer.cli import main; main(['--help'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "optimize" in done.stdout


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import trainer.cli.progress, trainer.run.run, trainer.run.server", "torch"),
        (
            "from trainer.run import optimization; import torch;"
            "x = torch.ones(2, requires_grad=True);"
            "o = torch.optim.LBFGS([x]); o.zero_grad(); o.step(lambda: (x**2).sum())",
            "torch._dynamo",
        ),
    ],
    ids=["torch before it is needed", "the compiler of torch"],
)
def test_what_takes_long_to_import_is_not_imported(code, unwanted):
    code += f"; import sys; sys.exit({unwanted!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


WAITS_AND_FAILS = """
import os, pathlib, time
log = pathlib.Path(os.environ["GDR_TEST_LOG"])
deadline = time.monotonic() + 60
while "Started instance" not in log.read_text() and time.monotonic() < deadline:
    time.sleep(0.05)
raise ImportError("the library is broken")
"""


def test_workers_start_while_torch_is_imported_and_end_when_it_fails(tmp_path):
    """By a torch that takes until there is a worker, and is broken then."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(WAITS_AND_FAILS)
    out = tmp_path / "run"
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    env["GDR_TEST_LOG"] = str(out / "trainer.log")
    done = subprocess.run(
        [sys.executable, "-m", "trainer", "optimize", *HIDDEN, "--workers", "1", "--out", str(out)],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "(ImportError: the library is broken)" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Started instance" in (out / "trainer.log").read_text()
    time.sleep(1.0)
    assert [p for p in psutil.process_iter() if str(out) in _environment(p)] == []


WAITS = """
import os, pathlib, time
folder = pathlib.Path(os.environ["GDR_TEST_FOLDER"])
(folder / "importing").touch()
deadline = time.monotonic() + 60
while not (folder / "go").exists() and time.monotonic() < deadline:
    time.sleep(0.02)
raise ImportError("this is no torch")
"""


@pytest.mark.skipif(os.name == "nt", reason="No signal there is Ctrl-C's for one process")
def test_a_stop_does_not_wait_for_the_import_of_torch(tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(WAITS)
    out = tmp_path / "run"
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    env["GDR_TEST_FOLDER"] = str(tmp_path)
    command = [sys.executable, "-m", "trainer", "optimize", *HIDDEN, "--workers", "1"]
    with subprocess.Popen([*command, "--out", str(out)], env=env, cwd=ROOT) as process:
        _until((tmp_path / "importing").exists)
        process.send_signal(signal.SIGINT)
        _until(lambda: "Stopped after 0 steps" in (out / "trainer.log").read_text())
        assert process.poll() is None
        (tmp_path / "go").touch()
        assert process.wait(30) == 130


def _until(true) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _environment(process: psutil.Process) -> str:
    """Return the variables that a process was started with."""
    try:
        return str(process.environ())
    except psutil.Error:
        return ""


@pytest.mark.parametrize(
    ("argv", "config", "sentence"),
    [
        (["--device", "nonsense"], "", "The device 'nonsense' cannot be used"),
        (["--estimator", "nonsense"], "", "There is no estimator named 'nonsense'"),
        ([], "[training.options]\nprecison = 0.1\n", "has no option 'precison'"),
    ],
)
def test_what_only_torch_can_judge_is_judged_before_blender_starts(
    argv, config, sentence, tmp_path, capsys
):
    (tmp_path / "config.toml").write_text(config)
    argv = [*HIDDEN, *argv, "--config", str(tmp_path / "config.toml"), "--out", f"{tmp_path}/run"]
    assert cli.main(["optimize", "--quiet", *argv]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
