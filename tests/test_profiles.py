"""Profiles: what the schema accepts, and that its complaints lead to the mistake."""

from pathlib import Path

import pytest
import yaml

from kinetlib.chapters.parameters import CHAPTERS, FusionTraining, FusionTrainingVariants
from kinetlib.chapters.profiles import Run, find_chapter, load
from kinetlib.records import repository

ROOT = repository.root(Path(__file__).parent)
PROFILES = ["smoke", "laptop", "paper"]


@pytest.fixture(autouse=True)
def _in_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a profile and returns its path."""

    def write_profile(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_profile


def _entry(write, chapter, entry):
    """Load a profile that says nothing but one chapter's entry."""
    return load(write(f"chapters:\n  {chapter}: {entry}\n"))


@pytest.mark.parametrize("name", PROFILES)
def test_committed_profile_says_only_what_differs(name):
    said = yaml.safe_load((ROOT / "profiles" / f"{name}.yaml").read_text()).get("chapters", {})
    for chapter, entry in said.items():
        default = CHAPTERS[chapter]().model_dump(mode="json")
        variants = entry.pop("variants", {})
        assert entry or variants, chapter
        for parameter, value in entry.items():
            assert value != default[parameter], (chapter, parameter)
        for variant, own in variants.items():
            known = FusionTrainingVariants().variants[variant].model_dump(mode="json")
            assert any(value != known[parameter] for parameter, value in own.items()), variant


def test_defaults_are_the_laptop_profile():
    laptop = load("laptop")
    networks = FusionTrainingVariants().variants
    for run in laptop.runs():
        default = networks[run.variant] if run.variant else CHAPTERS[run.chapter]()
        assert laptop.parameters(run) == default


def test_paper_profile_has_the_published_sizes():
    sizes = load("paper").parameters(Run("03_dataset_generation"))
    assert sizes.train_shards * sizes.sets_per_mechanism == 5_410
    per_shard = 20 * sizes.sets_per_mechanism * sizes.samples_per_set
    assert sizes.train_shards * per_shard == pytest.approx(4.95e6, rel=0.01)
    assert sizes.validation_shards * per_shard >= 50_000
    assert sizes.test_shards * per_shard >= 100_000


def test_runs_come_in_order_with_one_run_per_variant():
    assert [run.name for run in load("smoke").runs()] == [
        "00_ten_minutes",
        "01_solver_exploration",
        "02_mechanisms",
        "03_dataset_generation",
        "04_potentials",
        "05a_training_design",
        "05b_experiment_design",
        "06_fusion_training-average",
        "06_fusion_training-attention",
        "06_fusion_training-gate",
        "06_fusion_training-hadamard",
        "06_fusion_training-runset",
        "07_evaluation",
        "08_limits",
        "08b_answers",
        "09_discovery",
        "10_higher_order",
    ]


def test_results_follow_the_name_of_the_profile(write):
    mine = _entry(write, "02_mechanisms", "{n_curves: 3}")
    assert mine.parameters(Run("02_mechanisms")).results == "results/mine"
    assert mine.parameters(Run("02_mechanisms"), {"results": "r"}).results == "r"
    with pytest.raises(ValueError, match="parameter results: a profile writes to results/mine"):
        _entry(write, "02_mechanisms", "{results: elsewhere}")


def test_numbers_that_yaml_reads_as_text_become_numbers(write):
    text = "{variants: {a: {learning_rate: 1e-3, sample_passes: 1e6, noise: [0, 1e-2]}}}"
    own = _entry(write, "06_fusion_training", text).variants("06_fusion_training")["a"]
    assert (own.learning_rate, own.sample_passes, own.noise) == (1e-3, 1_000_000, [0.0, 0.01])
    assert isinstance(own.sample_passes, int)


@pytest.mark.parametrize(
    ("text", "values"), [("M1, M2", ["M1", "M2"]), ("[M3,'M4']", ["M3", "M4"]), ("M5", ["M5"])]
)
def test_text_becomes_a_list(text, values):
    run = Run("01_solver_exploration")
    assert load("smoke").parameters(run, {"mechanisms": text}).mechanisms == values


def test_common_values_reach_every_variant_and_its_own_win(write):
    text = "{batch_size: 7, seed: 1, variants: {a: {seed: 2}, b: {}}}"
    variants = _entry(write, "06_fusion_training", text).variants("06_fusion_training")
    assert {name: (own.batch_size, own.seed) for name, own in variants.items()} == {
        "a": (7, 2),
        "b": (7, 1),
    }


def test_profile_without_variants_keeps_all(write):
    variants = _entry(write, "06_fusion_training", "{batch_size: 7}").variants("06_fusion_training")
    networks = ["average", "attention", "gate", "hadamard", "runset"]
    assert {name: (own.network, own.batch_size) for name, own in variants.items()} == {
        name: (name, 7) for name in networks
    }


@pytest.mark.parametrize(
    ("chapter", "entry", "words"),
    [
        ("02_mechanisms", "{n_curve: 3}", ["unknown parameter 'n_curve'", "mean 'n_curves'"]),
        ("02_mechanisms", "{n_curves: 0}", ["n_curves", "whole number > 0", "got 0"]),
        ("02_mechanisms", "{n_curves: 2.5}", ["n_curves", "whole number > 0", "got 2.5"]),
        ("02_mechanisms", "{n_curves: many}", ["n_curves", "whole number > 0", "got 'many'"]),
        ("02_mechanisms", "{n_curves: yes}", ["n_curves", "got True", "quotes"]),
        ("02_mechanisms", "{loading: 1.5}", ["loading", "number > 0 and <= 1"]),
        ("02_mechanisms", "{loading: .inf}", ["loading", "got inf"]),
        ("02_mechanisms", "7", ["expected `name: value` lines", "got 7"]),
        ("01_solver_exploration", "{mechanisms: [no]}", ["mechanisms, item 1", "got False"]),
        ("01_solver_exploration", "{mechanisms: []}", ["mechanisms", "one or more", "got []"]),
        ("01_solver_exploration", "{tolerances: [1e-3, 2]}", ["tolerances, item 2", "got 2"]),
        (
            "06_fusion_training",
            "{variants: {a: {network: averag}}}",
            ["variant a, parameter network", "one of average, attention, gate", "got 'averag'"],
        ),
        (
            "06_fusion_training",
            "{variants: {a: {min_points: 9, max_points: 8}}}",
            ["variant a: min_points (9) must not exceed max_points (8)"],
        ),
        ("06_fusion_training", "{variants: {a b: {}}}", ["variant a b"]),
        ("06_fusion_training", "{variants: {}}", ["06_fusion_training"]),
        ("06_fusion_training", "{batch_size: 0}", ["batch_size", "whole number > 0"]),
        (
            "04_potentials",
            "{sizes: [5, 40], n_pool: 60}",
            ["n_pool (60) must be at least twice the largest of sizes (40)"],
        ),
        ("04_potentials", "{atoms: 8}", ["atoms", "one of 4, 16", "got 8"]),
        ("02_mechanism", "{}", ["unknown chapter '02_mechanism'", "mean '02_mechanisms'"]),
    ],
)
def test_wrong_entry_is_named(write, chapter, entry, words):
    with pytest.raises(ValueError) as raised:
        _entry(write, chapter, entry)
    message = str(raised.value)
    assert message.startswith("mine.yaml: ")
    for word in [chapter, *words]:
        assert word in message
    assert "pydantic" not in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chapter: {}", "unknown entry 'chapter'; did you mean 'chapters'"),
        ("- 1", "expected `description:` and `chapters:`"),
        ("", "expected `description:` and `chapters:`"),
        ("chapters: 3", "chapters: expected one entry per chapter, got 3"),
        ("name: x", "named by its file"),
        ("chapters: [", "not readable as YAML"),
        ("description: a\ndescription: b", "'description' is given twice"),
    ],
)
def test_wrong_file_is_named(write, text, words):
    with pytest.raises(ValueError) as raised:
        load(write(text))
    assert "mine.yaml" in str(raised.value)
    assert words in str(raised.value)


def test_all_mistakes_are_told_at_once(write):
    with pytest.raises(ValueError) as raised:
        load(write("chapters: {02_mechanisms: {n_curves: 0}, 03_dataset_generation: {seed: -1}}"))
    assert "n_curves: expected" in str(raised.value) and "seed: expected" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_many_mistakes_are_counted_in_a_line_that_ends(write):
    entries = ", ".join(f"entry{number}: 1" for number in range(40))
    with pytest.raises(ValueError, match="; and 3[0-9] more$") as raised:
        load(write(f"chapters: {{02_mechanisms: {{{entries}}}}}"))
    assert len(str(raised.value)) < 700


def test_unknown_profile_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'laptop'"):
        load("labtop")
    with pytest.raises(ValueError, match="no profile file nowhere.yaml"):
        load("nowhere.yaml")


def test_override_of_wrong_type_or_name_is_refused():
    smoke, run = load("smoke"), Run("03_dataset_generation")
    assert smoke.parameters(run, {"train_shards": "5"}).train_shards == 5
    with pytest.raises(ValueError, match="train_shards: expected whole number > 0, got 'x'"):
        smoke.parameters(run, {"train_shards": "x"})
    with pytest.raises(ValueError, match="did you mean 'train_shards'"):
        smoke.parameters(run, {"train_shard": 5})


def test_variant_must_exist():
    smoke = load("smoke")
    with pytest.raises(ValueError, match="did you mean 'hadamard'"):
        smoke.parameters(Run("06_fusion_training", "hadamar"))
    with pytest.raises(ValueError, match="run in variants, none given"):
        smoke.parameters(Run("06_fusion_training"))
    with pytest.raises(ValueError, match="has no variants"):
        smoke.parameters(Run("02_mechanisms", "hadamard"))


@pytest.mark.parametrize("text", ["03", "3", "03_data", "dataset_generation"])
def test_chapter_may_be_abbreviated(text):
    assert find_chapter(text) == "03_dataset_generation"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no chapter is called"),
        ("x", "no chapter is called"),
        ("0_", "no chapter"),
        ("03_dataset_generaton", "did you mean '03_dataset_generation'"),
    ],
)
def test_unknown_chapter_names_the_nearest(text, words):
    with pytest.raises(ValueError, match=words):
        find_chapter(text)


def test_defaults_pass_their_own_validation():
    for parameters in CHAPTERS.values():
        assert parameters.model_validate(parameters().model_dump()) == parameters()


def test_min_points_may_equal_max_points():
    assert FusionTraining(min_points=4, max_points=4).max_points == 4
