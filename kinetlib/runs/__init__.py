"""What was or may be measured: runs, designs that draw them, noise, plans, datasets on disk."""

from kinetlib.runs.dataset import open_shards, with_noise
from kinetlib.runs.laboratory import Campaign, draw_runs
from kinetlib.runs.noise import Noise, estimate_noise
from kinetlib.runs.plans import Candidates, Experiment
from kinetlib.runs.runs import Runs
from kinetlib.runs.sample import LABORATORY, TEST, TRAIN, Design, accepted_sets, draw_samples
from kinetlib.runs.shards import Plan, build, generate

__all__ = [
    "LABORATORY",
    "TEST",
    "TRAIN",
    "Campaign",
    "Candidates",
    "Design",
    "Experiment",
    "Noise",
    "Plan",
    "Runs",
    "accepted_sets",
    "build",
    "draw_runs",
    "draw_samples",
    "estimate_noise",
    "generate",
    "open_shards",
    "with_noise",
]
