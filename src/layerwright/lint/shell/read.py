"""Reads shell text with the bash grammar of tree-sitter.

https://github.com/tree-sitter/tree-sitter-bash. It recovers from text that is no shell; what it could not read is
told by ``Script.broken``.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from layerwright.lint.shell.model import Chain, Command, Element, Redirect, Script, Word
from layerwright.lint.shell.programs import unwrapped
from layerwright.lint.shell.words import WordReader
from layerwright.lint.source import Piece

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

__all__ = ["read_script"]

_DEEPEST: Final = 150
"""Nested commands; Python's own stack is the limit, and no sane script comes near."""

_WORDS = frozenset({
    "word", "string", "raw_string", "ansi_c_string", "translated_string", "concatenation", "number", "simple_expansion",
    "expansion", "command_substitution", "process_substitution", "brace_expression", "extglob_pattern", "regex",
    "arithmetic_expansion", "test_operator", "variable_name", "special_variable_name",
})  # fmt: skip
_NOT_PLAIN = re.compile(r"[^\x01-\x7f]")
_ESCAPED = re.compile(r"\\['\"`]")
_JOINS = frozenset({";", "&", ";;", "\n", ";&", ";;&"})
_OPERATORS = frozenset({"&&", "||", "|", "|&"})
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh"})


@cache
def _parser() -> "Parser":
    import tree_sitter_bash  # noqa: PLC0415 - start-up
    from tree_sitter import Language, Parser  # noqa: PLC0415 - start-up

    return Parser(Language(tree_sitter_bash.language()))


def read_script(piece: Piece) -> Script:
    """Read shell text."""
    reader = _Reader(piece)
    reader.read()
    return Script(
        piece=piece,
        commands=tuple(reader.commands),
        chains=tuple(reader.chains),
        functions=tuple(reader.functions),
        patterns=tuple(reader.patterns),
        cases=tuple(reader.cases),
        broken=reader.broken,
    )


class _Place(Struct, frozen=True):
    """What surrounds a statement."""

    function: str = ""
    tested: bool = False
    substitution: bool = False
    depth: int = 0


class _Reader(WordReader):
    def __init__(self, piece: Piece, depth: int = 0) -> None:
        super().__init__(piece)
        self.commands: list[Command] = []
        self.chains: list[Chain] = []
        self.functions: list[str] = []
        self.patterns: list[tuple[str, int]] = []
        self.cases: list[tuple[str, int, tuple[tuple[str, str], ...]]] = []
        self.broken = -1
        self._nested = depth
        self._behind: list[Word] = []

    def read(self) -> None:
        # The grammar's scanner (tree-sitter-bash 0.25) hands characters to C's isalpha and isdigit, which read past
        # their table, and crash, for large ones. A shell takes them for parts of words, as it does this one; and so
        # bytes are characters.
        plain = _NOT_PLAIN.sub(".", self.piece.text)
        root = _parser().parse(plain.encode("ascii")).root_node
        if root.has_error and (simpler := _ESCAPED.sub("..", plain)) != plain:
            # The grammar stumbles over escaped quotes in patterns, as in ${x%%\'*}; without them it may get through.
            other = _parser().parse(simpler.encode("ascii")).root_node
            root = root if other.has_error else other
        if root.has_error:
            self.broken = self._broken(root)
        self._body(root.children, _Place())

    # -- places

    def _broken(self, root: "Node") -> int:
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if node.is_error or node.is_missing:
                return self.start(node)
            waiting += [child for child in reversed(node.children) if child.has_error or child.is_missing]
        return self.start(root)

    # -- statements

    def _body(self, nodes: "Sequence[Node]", place: _Place) -> None:
        """Statements that follow each other."""
        for index, node in enumerate(nodes):
            if not node.is_named or node.type == "comment":
                continue
            after = nodes[index + 1].type if index + 1 < len(nodes) else ""
            if after not in _JOINS:
                after = "\n" if index + 1 < len(nodes) else ""
            self._chain(node, place, after)

    def _chain(self, node: "Node", place: _Place, terminator: str) -> None:
        """A statement with all that is joined to it by && and ||."""
        items, operators = _flattened(node)
        elements = []
        for index, (item, outer) in enumerate(items):
            before = operators[index - 1] if index else ""
            after = operators[index] if index < len(operators) else terminator
            first = len(self.commands)
            if outer:
                self._redirected(item, outer, place, before, after)
            else:
                self._statement(item, place, before, after)
            elements.append(
                Element(
                    kind=item.type,
                    first=first,
                    last=len(self.commands),
                    start=self.start(item),
                    stop=max([self.stop(item), *(self._redirected_to(holder) for holder in outer)]),
                )
            )
        if all(item.type in _WORDS for item, _ in items):
            return
        self.chains.append(
            Chain(
                elements=tuple(elements),
                operators=tuple(operators),
                terminator=terminator,
                tested=place.tested,
                function=place.function,
                depth=place.depth,
            )
        )

    def _statement(  # noqa: C901 - one case a kind of node
        self, node: "Node", place: _Place, before: str, after: str, redirects: tuple[Redirect, ...] = ()
    ) -> None:
        if place.depth > _DEEPEST:
            self.broken = self.start(node) if self.broken < 0 else self.broken
            return
        inner = replace(place, depth=place.depth + 1)
        match node.type:
            case "command" | "declaration_command" | "unset_command" | "test_command":
                self._command(node, place, before, after, redirects)
            case "variable_assignment" | "variable_assignments":
                self._assignments(node, place, before, after)
            case "redirected_statement":
                body = node.child_by_field_name("body")
                self._redirected(body, (node,), inner, before, after, redirects)
            case "pipeline":
                parts = [child for child in node.children if child.is_named]
                for index, part in enumerate(parts):
                    last = index + 1 == len(parts)
                    joined = ("|" if index else before, after if last else "|")
                    self._statement(part, inner, *joined, redirects if last else ())
            case "negated_command":
                for child in node.children:
                    if child.is_named:
                        self._statement(child, replace(inner, tested=True), before, after)
            case "list":
                self._chain(node, inner, after)
            case "function_definition":
                name = node.child_by_field_name("name")
                label = self.raw(name) if name is not None else ""
                self.functions.append(label)
                body = node.child_by_field_name("body")
                if body is not None:
                    self._statement(body, _Place(function=label, depth=inner.depth), "", "")
            case "if_statement" | "while_statement" | "elif_clause":
                self._conditional(node, inner)
            case "case_statement":
                self._case(node, inner)
            case _ if node.type in _WORDS or node.type in {"comment", "heredoc_body"}:
                self._inside(node, inner)
            case _:
                self._body(node.children, inner)

    def _redirected_to(self, holder: "Node") -> int:
        """Where the redirections of a node end; here-documents count with their first line."""
        files = [child for child in holder.children if child.type == "file_redirect"]
        return self.stop(files[-1]) if files else 0

    def _conditional(self, node: "Node", place: _Place) -> None:
        condition: list[Node] = []
        rest: list[Node] = []
        seen = False
        for child in node.children:
            seen = seen or child.type in {"then", "do_group"}
            (rest if seen else condition).append(child)
        self._body(condition, replace(place, tested=True))
        self._body(rest, place)

    def _case(self, node: "Node", place: _Place) -> None:
        value = node.child_by_field_name("value")
        items = []
        for item in node.children:
            if item.type != "case_item":
                continue
            split = next((index for index, child in enumerate(item.children) if child.type == ")"), 0)
            patterns = [child for child in item.children[:split] if child.is_named]
            for pattern in patterns:
                self.patterns.append((self.word(pattern).text, self.start(pattern)))
            body = item.children[split + 1 :]
            text = self.piece.text[self.start(body[0]) : self.stop(item)] if body else ""
            items.append(("|".join(self.raw(pattern) for pattern in patterns), text))
            self._body(body, place)
        self.cases.append((self.raw(value) if value is not None else "", self.start(node), tuple(items)))

    def _redirected(
        self,
        body: "Node | None",
        holders: "Sequence[Node]",
        place: _Place,
        before: str,
        after: str,
        redirects: tuple[Redirect, ...] = (),
    ) -> None:
        """A statement with the redirections that other nodes hold for it."""
        children = [
            child for holder in holders for child in holder.children if child.type.endswith("_redirect")
        ]
        flat = (*(one for child in children for one in self._redirect(child)), *redirects)
        # The grammar counts words behind a redirection's target to it; they are the command's.
        self._behind = [
            self.word(word)
            for child in children
            if child.type == "file_redirect"
            for word in [inner for inner in child.children if inner.type in _WORDS][1:]
        ]
        # `cmd <<EOF | other` and `cmd <<EOF && other` hang on the here-document's node.
        hanging = [
            inner
            for child in children
            if child.type == "heredoc_redirect"
            for inner in child.children
            if inner.type in {"pipeline", "list", "command", "redirected_statement"}
            or inner.type in _OPERATORS
        ]
        joint = next((one.type for one in hanging if one.type in _OPERATORS), "|" if hanging else "")
        if body is not None:
            self._statement(body, place, before, joint or after, flat)
        elif flat:
            self._add(holders[0], (), (), flat, place, before, after)
        for one in hanging:
            if one.is_named:
                self._statement(one, place, joint, after)

    # -- commands

    def _command(
        self, node: "Node", place: _Place, before: str, after: str, redirects: tuple[Redirect, ...]
    ) -> None:
        words: list[Word] = []
        assignments: list[tuple[str, Word]] = []
        found = list(redirects)
        if node.type == "test_command":
            words = [self.word(leaf) for leaf in self._leaves(node)]
            words.insert(0, self.plain(node.children[0]))
        else:
            for child in node.children:
                if child.type == "variable_assignment":
                    assignments.append(self._assignment(child))
                    if node.type == "declaration_command":
                        words.append(self.word(child))
                elif child.type == "command_name":
                    words.append(self.word(child.children[0] if child.child_count == 1 else child))
                elif child.type.endswith("_redirect"):
                    found += self._redirect(child)
                elif child.type in _WORDS:
                    words.append(self.word(child))
                elif not child.is_named and child.type.isalpha():
                    words.append(self.plain(child))
        words = _without_stray([*words, *self._behind])
        self._behind = []
        self._add(node, tuple(words), tuple(assignments), tuple(found), place, before, after)
        self._inside(node, place)

    def _assignments(self, node: "Node", place: _Place, before: str, after: str) -> None:
        nodes = node.children if node.type == "variable_assignments" else [node]
        found = tuple(self._assignment(child) for child in nodes if child.type == "variable_assignment")
        self._add(node, (), found, (), place, before, after)
        self._inside(node, place)

    def _add(
        self,
        node: "Node",
        words: tuple[Word, ...],
        assignments: tuple[tuple[str, Word], ...],
        redirects: tuple[Redirect, ...],
        place: _Place,
        before: str,
        after: str,
    ) -> None:
        wrappers, program, arguments = unwrapped(words)
        self.commands.append(
            Command(
                piece=self.piece,
                words=words,
                program=program,
                arguments=arguments,
                wrappers=wrappers,
                assignments=assignments,
                redirects=redirects,
                start=self.start(node),
                stop=self.stop(node),
                before=before,
                after=after,
                tested=place.tested,
                function=place.function,
                substitution=place.substitution,
                index=len(self.commands),
            )
        )
        self._scripts_in(program, arguments, place)

    def _scripts_in(self, program: str, arguments: Sequence[Word], place: _Place) -> None:
        """``sh -c 'text'`` and ``eval 'text'``: the text is read as a script, and its commands join ours."""
        if self._nested > 3:  # noqa: PLR2004 - a quoted script in a quoted script in a quoted script
            return
        word: Word | None = None
        if program in _SHELLS:
            for index, one in enumerate(arguments[:-1]):
                if one.text.startswith("-") and not one.text.startswith("--") and "c" in one.text:
                    word = arguments[index + 1]
                    break
                if not one.text.startswith("-"):
                    break
        elif program == "eval" and len(arguments) == 1:
            word = arguments[0]
        if word is None or not (word.literal or " " in word.text) or not word.text.strip():
            return
        parts = [(self.piece.at(start), text) for start, text in word.parts]
        inner = _Reader(Piece.joined(self.piece.source, parts), self._nested + 1)
        inner.read()
        here = len(self.commands)
        self.commands += [
            replace(
                command,
                function=place.function,
                substitution=place.substitution,
                index=here + command.index,
            )
            for command in inner.commands
        ]

    def _leaves(self, node: "Node") -> "Iterator[Node]":
        """Words of a test, in order."""
        for child in node.children:
            if child.type in _WORDS and child.type != "test_operator":
                yield child
            elif child.type == "test_operator" or not child.is_named:
                if child.type not in {"[", "]", "[[", "]]", "((", "))"}:
                    yield child
            else:
                yield from self._leaves(child)

    def _inside(self, node: "Node", place: _Place) -> None:
        """Commands of substitutions inside words."""
        waiting = list(reversed(node.children))
        while waiting:
            child = waiting.pop()
            if child.type in {"command_substitution", "process_substitution"}:
                self._body(
                    child.children,
                    replace(place, substitution=True, tested=False, depth=place.depth + 1),
                )
            else:
                waiting += reversed(child.children)

    def _assignment(self, node: "Node") -> tuple[str, Word]:
        name = node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        end = self.stop(node)
        word = self.word(value) if value is not None else Word(text="", raw="", start=end, stop=end)
        return (self.raw(name) if name is not None else "", word)

    def _redirect(self, node: "Node") -> list[Redirect]:
        operator = next((child.type for child in node.children if not child.is_named), "")
        start, stop = self.start(node), self.stop(node)
        if node.type == "heredoc_redirect":
            return [*self._heredoc(node, operator)]
        words = [child for child in node.children if child.type in _WORDS]
        if not words:
            return []
        target = self.word(words[0])
        return [
            Redirect(
                operator=operator,
                target=target.text,
                start=start,
                stop=target.stop or stop,
                target_start=target.start,
            )
        ]

    def _heredoc(self, node: "Node", operator: str) -> Iterator[Redirect]:
        begin = next((child for child in node.children if child.type == "heredoc_start"), None)
        body = next((child for child in node.children if child.type == "heredoc_body"), None)
        name = self.raw(begin) if begin is not None else ""
        piece = self.piece.part(self.start(body), self.stop(body)) if body is not None else None
        start = self.start(node)
        yield Redirect(
            operator=operator,
            target=name.strip("'\"\\"),
            start=start,
            stop=start + len(operator) + len(name),
            target_start=self.start(begin) if begin is not None else start,
            body=piece,
            expand=not any(sign in name for sign in "'\"\\"),
        )
        for child in node.children:
            if child.type == "file_redirect":
                yield from self._redirect(child)


def _flattened(node: "Node") -> "tuple[list[tuple[Node, tuple[Node, ...]]], list[str]]":
    """Statements joined by && and ||, each with the nodes that hold redirections for it, and what joins them.

    Lists lean to the left, and in ``a && b > f`` the redirection hangs on the list, though it is b's.
    """
    items: list[tuple[Node, tuple[Node, ...]]] = []
    operators: list[str] = []
    outer: tuple[Node, ...] = ()
    while True:
        body = node.child_by_field_name("body") if node.type == "redirected_statement" else None
        if body is not None and body.type == "list":
            outer, node = (node, *outer), body
        elif node.type == "list" and len(node.children) >= 3:  # noqa: PLR2004 - left, operator, right
            items.append((node.children[-1], outer))
            operators.append(next((one.type for one in node.children if one.type in _OPERATORS), "&&"))
            outer, node = (), node.children[0]
        else:
            break
    items.append((node, outer))
    return items[::-1], operators[::-1]


def _without_stray(words: list[Word]) -> list[Word]:
    """Words without the line feed that the grammar makes of a backslash before an empty line."""
    return [word for word in words if word.raw.strip() not in {"", "\\"} or word.quoted]
