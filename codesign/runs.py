"""The run folder: one place per run, each stage reading the previous stage's files.

runs/<name>/
  flow.toml  provenance.json                the recipe and where it ran
  model.safetensors  model.json             weights and architecture
  metrics.json  history.parquet             what training reached, step by step
  control.safetensors                       the kept control without memory, where there is one
  evidence/                                 what the training page shows, measured on test clips
  design/                                   mapping.csv, design.json, netlists, stimuli
  design_area<S>/                           the same network in devices of S times the gate area
  sim/<plan>/                               per-sample results, waves, logs, summary.json
  report/                                   self-contained HTML
"""

from dataclasses import dataclass
from pathlib import Path

from codesign.errors import InputError
from codesign.files import read_json, unwritable, write_json, write_text
from codesign.flows import Flow, dump_flow, load_flow
from codesign.provenance import collect_provenance

RUNS = Path("runs")


@dataclass(frozen=True)
class Run:
    """Paths inside one run folder.

    ``variant`` names a second design of the same network ("_area4"); the run's own has none.
    """

    path: Path
    variant: str = ""

    @property
    def flow_file(self) -> Path:
        return self.path / "flow.toml"

    @property
    def provenance_file(self) -> Path:
        return self.path / "provenance.json"

    @property
    def weights_file(self) -> Path:
        return self.path / "model.safetensors"

    @property
    def model_file(self) -> Path:
        return self.path / "model.json"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.json"

    @property
    def history_file(self) -> Path:
        return self.path / "history.parquet"

    @property
    def control_file(self) -> Path:
        return self.path / "control.safetensors"

    @property
    def evidence_dir(self) -> Path:
        return self.path / "evidence"

    @property
    def design_dir(self) -> Path:
        return self.path / f"design{self.variant}"

    @property
    def report_dir(self) -> Path:
        return self.path / "report"

    def sim_dir(self, plan: str = "nominal") -> Path:
        return self.path / "sim" / plan

    def flow(self) -> Flow:
        """The resolved flow of this run."""
        return load_flow(self.flow_file)


def create_run(path: Path, flow: Flow) -> Run:
    """Make (or reuse) a run folder and write its flow and provenance.

    Raises InputError when the folder cannot be made or belongs to something else.
    """
    run = Run(path)
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file, not a run folder; choose another name.")
    if path.is_dir() and any(path.iterdir()) and not run.flow_file.is_file():
        raise InputError(
            f"{path} is not empty and holds no flow.toml, so it is not a run folder; "
            "choose another name."
        )
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    write_text(run.flow_file, dump_flow(flow))
    write_json(run.provenance_file, collect_provenance(flow))
    return run


def add_provenance(run: Run, **facts: object) -> None:
    """Add what a later stage used (process models, simulator) to the run's provenance."""
    known = read_json(run.provenance_file, "the provenance of the run")
    write_json(run.provenance_file, {**known, **facts})


def open_run(path: Path | None) -> Run:
    """The run folder at ``path``, or the newest one under ``runs/``."""
    if path is None:
        flows = sorted(RUNS.glob("*/flow.toml"), key=lambda file: file.stat().st_mtime)
        if not flows:
            raise InputError(
                "There is no run under ./runs; name a run folder, or make one with "
                "'codesign train'."
            )
        return Run(flows[-1].parent)
    run = Run(path)
    if not run.flow_file.is_file():
        raise InputError(
            f"{path} is not a run folder (it has no flow.toml); make one with 'codesign train'."
        )
    return run
