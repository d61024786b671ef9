"""Sphinx directives that write reference pages from the code, so that docs and code cannot disagree.

Each directive builds Markdown (or, for autodoc, reStructuredText) and lets the page's own parser read it.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "rootfruit_checks"
# Parts of the result's schema that get tables of their own: they are told in several places, or are long.
APART = ("Check", "Sample", "Side", "Details")
# Packages are drawn in boxes of this many units; the page scales the drawing.
WIDTH, LEFT, LINE, NARROW = 440, 60, 17, 46


class Generated(SphinxDirective):
    """A directive whose content is Markdown made by `lines`; the page is built again when a source file changes."""

    sources: ClassVar[tuple[Path, ...]] = ()

    def lines(self) -> Iterator[str]:
        """The Markdown, line by line."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Return the parsed content."""
        for source in self.sources:
            self.env.note_dependency(str(source))
        made = self.parse_text_to_nodes("\n".join(self.lines()), allow_section_headings=True)
        for node in (each for top in made for each in top.findall(nodes.table)):
            node["classes"].append(type(self).__name__.lower())
        return made


def cell(text: str) -> str:
    """Escape text for a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    """Return a Markdown table."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


class Options(Generated):
    """Every option, from the table that the plugin registers them from."""

    sources = (PACKAGE / "config" / "options.py",)

    def lines(self) -> Iterator[str]:
        """One row an option."""
        from rootfruit_checks.config.options import OPTIONS

        def rows() -> Iterator[tuple[str, ...]]:
            for option in OPTIONS:
                flag = option.flag + (f"={option.metavar}" if option.metavar else "")
                yield f"`{flag}`", self.default(option.default), cell(option.help)

        yield from table(("option", "default", "what it does"), rows())

    @staticmethod
    def default(value: object) -> str:
        """Show a default as a user would write it."""
        if value is None or value in ((), {}):
            return "none"
        if isinstance(value, bool):
            return "on" if value else "off"
        if isinstance(value, tuple):
            return "`" + ",".join(map(str, value)) + "`"
        return f"`{value}`"


class Checks(Generated):
    """Every measure of the built-in benchmarks, from the registry."""

    sources = (PACKAGE / "catalog" / "measures.py",)
    option_spec: ClassVar[dict[str, Any]] = {"gated": directives.flag, "described": directives.flag}

    def lines(self) -> Iterator[str]:
        """One row a measure."""
        from rootfruit_checks.catalog.registry import measures

        def rows() -> Iterator[tuple[str, ...]]:
            for row in measures():
                if row.gated == ("described" in self.options):
                    continue
                needs = "a baseline" if row.needs_baseline else "a reference" if row.needs_reference else "the policy"
                limit = (f"{row.limit:g}",) if row.gated else ()
                yield (
                    f"`{row.id}`", cell(row.title), *limit, ", ".join(row.groups), ", ".join(row.clusters), needs,
                )  # fmt: skip

        limit = () if "described" in self.options else ("default limit",)
        yield from table(("check", "what it estimates", *limit, "groups", "clusters", "needs"), rows())


class Schema(Generated):
    """The JSON result, key by key, from its JSON Schema."""

    sources = tuple(sorted((PACKAGE / "results").glob("*.py")))

    def lines(self) -> Iterator[str]:
        """A table for the top level, one for each object there, and one for each part that stands apart."""
        from rootfruit_checks.results.schema import result_schema

        schema: dict[str, Any] = result_schema()
        parts = schema["$defs"]
        yield from (schema["description"], "")
        head = ("key", "type", "meaning")
        top, tables = [], {}
        for key, part in schema["properties"].items():
            inner = list(walk(key, part, parts))
            top += inner[:1]
            if len(inner) > 1:
                tables[f"`{key}`"] = inner[1:]
        names = set(schema["required"])
        yield from ("## Top level", "", "Keys in bold are always there.", "")
        yield from table(head, ((f"**`{key}`**" if key in names else f"`{key}`", *rest) for key, *rest in top))
        for name in APART:
            tables[name] = list(walk("", parts[name], parts))[1:]
        for title, inner in tables.items():
            yield from (f"## {title}", "")
            yield from table(head, ((f"`{key}`", *rest) for key, *rest in inner))


def walk(path: str, part: Mapping[str, Any], parts: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (path, type, meaning) of a schema and all below it, parents first; `parts` are what it refers to."""
    description, inner = cell(part.get("description", "")), part
    for branch in part.get("anyOf", ()):
        if branch.get("type") != "null":
            inner = branch
    name = inner.get("$ref", "").rpartition("/")[2]
    if name:
        description = description or cell(parts[name].get("description", ""))
        inner = {} if name in APART else parts[name]
    yield path.removeprefix("."), kind_of(part), description
    for key, child in inner.get("properties", {}).items():
        yield from walk(f"{path}.{key}", child, parts)
    for key, mark in (("items", "[]"), ("additionalProperties", ".*")):
        child = inner.get(key)
        if isinstance(child, Mapping) and (nested := list(walk(path + mark, child, parts))):
            # A list of plain values is said by its type; only what has a shape or a meaning gets rows.
            yield from nested if len(nested) > 1 and nested[0][2] else nested[1:]


def kind_of(part: Mapping[str, Any]) -> str:
    """Return the type of a schema in a few words."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return name if name in APART else "object"
    if "const" in part:
        return f"`{json.dumps(part['const'])}`"
    if "enum" in part:
        return ", ".join(f"`{json.dumps(value)}`" for value in part["enum"])
    for key in ("oneOf", "anyOf"):
        if key in part:
            return " or ".join(dict.fromkeys(map(kind_of, part[key])))
    named = part.get("type", "any")
    if named == "array" and isinstance(part.get("items"), Mapping):
        return f"array of {kind_of(part['items'])}"
    return " or ".join(named) if isinstance(named, list) else str(named)


class Columns(Generated):
    """The columns and quantities of the Parquet tables."""

    sources = (PACKAGE / "observations" / "frame.py",)

    def lines(self) -> Iterator[str]:
        """One table of columns for pairs and one for prompts, and the quantities of prompts."""
        from rootfruit_checks.observations import frame

        for title, columns in (("Pairs", frame.PAIR_COLUMNS), ("Prompts", frame.COLUMNS)):
            rows = ((f"`{name}`", kind, cell(text)) for name, (kind, text) in columns.items())
            yield from (f"## {title}", "")
            yield from table(("column", "type", "meaning"), rows)
        yield from ("`quantity` is one of:", "")
        yield from table(("quantity", "meaning"), ((f"`{k}`", cell(v)) for k, v in frame.QUANTITIES.items()))


class Commands(Generated):
    """Every command of `rootfruit`, from its parser."""

    sources = (PACKAGE / "app" / "cli" / "main.py", PACKAGE / "app" / "cli" / "coding_parser.py")

    def lines(self) -> Iterator[str]:
        """A heading, the help line and a table of arguments for each command."""
        from rootfruit_checks.app.cli import main

        yield from self.below(main._parser())

    def below(self, parser: argparse.ArgumentParser) -> Iterator[str]:
        """Describe the subcommands of a parser, and theirs."""
        for action in parser._actions:
            if not isinstance(action, argparse._SubParsersAction):
                continue
            said = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, child in action.choices.items():
                nested = any(isinstance(each, argparse._SubParsersAction) for each in child._actions)
                about = cell(said.get(name, "")).rstrip(".")
                yield from (f"## {child.prog}", "", f"{about[:1].upper()}{about[1:]}.", "")
                if not nested:
                    rows = [row for each in child._actions for row in self.argument(each)]
                    if rows:
                        yield from table(("argument", "what it is"), iter(rows))
                yield from self.below(child)

    @staticmethod
    def argument(action: argparse.Action) -> Iterator[tuple[str, str]]:
        """One row an argument, but none for --help."""
        if isinstance(action, argparse._HelpAction):
            return
        value = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
        choices = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else ""
        flags = ", ".join(action.option_strings)
        yield f"`{flags} {choices or value}`" if flags else f"`{value}`", cell(action.help or "")


class Fixtures(Generated):
    """The public pytest fixtures, from their docstrings."""

    sources = (PACKAGE / "app" / "pytest" / "fixtures.py",)

    def lines(self) -> Iterator[str]:
        """One row a fixture."""

        def rows() -> Iterator[tuple[str, ...]]:
            for node in ast.parse(self.sources[0].read_text("utf-8")).body:
                if isinstance(node, ast.FunctionDef):
                    marks = [ast.unparse(mark) for mark in node.decorator_list]
                    scopes = [mark for mark in marks if mark.startswith("pytest.fixture")]
                    if scopes:
                        scope = "session" if "session" in scopes[0] else "function"
                        returns = ast.unparse(node.returns) if node.returns else ""
                        yield f"`{node.name}`", f"`{returns}`", scope, cell(ast.get_docstring(node) or "")

        yield from table(("fixture", "gives", "scope", "what it is"), rows())


class PublicNames(SphinxDirective):
    """Autodoc of every name in a module's `__all__`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the parsed autodoc directives."""
        module = __import__(self.arguments[0], fromlist=["__all__"])
        text: list[str] = []
        for name in module.__all__:
            value = getattr(module, name)
            if name.startswith("__"):
                continue
            kind = "class" if inspect.isclass(value) else "function"
            text += [f".. auto{kind}:: {self.arguments[0]}.{name}", ""]
        self.env.note_dependency(str(module.__file__))
        # autodoc writes reStructuredText, whatever the page is written in.
        return self.parse_text_to_nodes("\n".join(["```{eval-rst}", *text, "```"]))


class House(SphinxDirective):
    """The packages in the order of the declared layers: a drawing, and a table with what each imports."""

    def run(self) -> list[nodes.Node]:
        """Return the drawing and the table."""
        layers = layers_of(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8")))
        self.env.note_dependency(str(ROOT / "pyproject.toml"))
        for name in (each for layer in layers for each in layer):
            self.env.note_dependency(str(source_of(name)))
        drawn = nodes.raw("", f'<div class="drawing">{drawing(layers)}</div>', format="html")
        rows = (
            (f"`{name}`", cell(purpose(name)), ", ".join(f"`{other}`" for other in imports(name, layers)) or "nothing")
            for layer in layers
            for name in layer
        )
        return [drawn, *self.parse_text_to_nodes("\n".join(table(("package", "purpose", "imports"), rows)))]


def layers_of(project: Mapping[str, Any]) -> list[list[str]]:
    """Return the layers of import-linter's contract, highest first; several names may share one."""
    (contract,) = (c for c in project["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]


def source_of(name: str) -> Path:
    """Return the file with the docstring of a package or module."""
    package = PACKAGE / name / "__init__.py"
    return package if package.is_file() else PACKAGE / f"{name}.py"


def purpose(name: str) -> str:
    """Return the first paragraph of a docstring."""
    said = ast.get_docstring(ast.parse(source_of(name).read_text("utf-8")))
    if not said:
        raise ExtensionError(f"rootfruit_checks.{name} has no docstring to draw")
    return said.partition("\n\n")[0]


def imports(name: str, layers: list[list[str]]) -> list[str]:
    """Return the packages of ours that one imports, lazily or not, in the order of the layers."""
    package = PACKAGE / name
    files = sorted(package.rglob("*.py")) if package.is_dir() else [source_of(name)]
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and not node.level:
                named = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            else:
                continue
            found |= {each.split(".")[1] for each in named if each.startswith("rootfruit_checks.")}
    return [each for layer in layers for each in layer if each in found and each != name]


def drawing(layers: list[list[str]]) -> str:
    """Draw the layers as boxes, one above the other, with an arrow in the direction of imports."""
    parts, y = [], 8
    for layer in layers:
        texts = [(name, textwrap.wrap(purpose(name).replace("`", ""), NARROW)) for name in layer]
        height = sum(LINE * (1 + len(said)) for _, said in texts) + 10
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{WIDTH - LEFT - 8}" height="{height}" rx="5"/>')
        at = y + 4
        for name, said in texts:
            at += LINE
            parts.append(f'<text class="name" x="{LEFT + 12}" y="{at - 3}" font-size="14">{escape(name)}</text>')
            for line in said:
                at += LINE
                parts.append(f'<text x="{LEFT + 12}" y="{at - 3}" font-size="13">{escape(line)}</text>')
        y += height + 7
    bottom = y - 7
    arrow = f"M34 8 V{bottom - 4} M28 {bottom - 14} L34 {bottom - 4} L40 {bottom - 14}"
    parts.append(f'<path class="arrow" d="{arrow}"/>')
    parts.append(
        f'<text x="20" y="{bottom // 2}" font-size="13" transform="rotate(-90 20 {bottom // 2})">imports</text>'
    )
    label = "The packages, one above the other; each imports only packages below it"
    body = "".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {bottom + 8}" role="img" aria-label="{label}" xmlns="http://www.w3.org/2000/svg">{body}</svg>'


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    for name, made in (
        ("options-table", Options), ("checks-table", Checks), ("result-schema", Schema), ("frame-columns", Columns),
        ("commands", Commands), ("fixtures-table", Fixtures), ("public-names", PublicNames), ("house", House),
    ):  # fmt: skip
        app.add_directive(name, made)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


__all__ = ["setup"]
