"""A tree of token sequences that share prefixes, so that each shared prefix is computed once.

The log-prob of a token comes from the hidden state of the token before it. So only nodes with children are computed;
leaves, the last tokens of sentences, are not. The tree is split in depth-first order into blocks under a token budget.
A block repeats the path from the root to its first node, so that the ancestors of all its nodes are in it. One block
is one forward pass, with a mask that lets a token see only its ancestors, and with depths as positions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """A trie of token sequences, nodes in depth-first order, node 0 the root (BOS).

    `tokens`, `parents`, `depths` have shape (nodes,). `paths[s]` holds the nodes of sequence `s` after the root.
    """

    tokens: Ints
    parents: Ints
    depths: Ints
    paths: list[list[int]]

    @property
    def inner(self) -> Ints:
        """Nodes that have children, in order: those that must be computed."""
        return np.unique(self.parents[1:])


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One forward pass.

    `tokens`, `parents` (index in the block, -1 for the root) and `depths` have shape (b,). `sources` are the rows whose
    logits are read, `targets` the tokens whose log-prob is needed, `nodes` their nodes in the tree; shape (k,).
    """

    tokens: Ints
    parents: Ints
    depths: Ints
    sources: Ints
    targets: Ints
    nodes: Ints

    @property
    def key(self) -> str:
        """Content hash of the work: equal work has an equal key, whatever else is scored with it."""
        sha = hashlib.sha256(b"tree-block/1")
        for part in (self.tokens, self.parents, self.sources, self.targets):
            sha.update(len(part).to_bytes(8, "little"))
            sha.update(np.ascontiguousarray(part, dtype="<i8").tobytes())
        return sha.hexdigest()

    def visible(self) -> NDArray[np.bool_]:
        """Return the mask of shape (b, b): row i sees column j where j is i or an ancestor of i."""
        seen = np.zeros((len(self.tokens), len(self.tokens)), dtype=bool)
        for node, parent in enumerate(self.parents.tolist()):
            if parent >= 0:
                seen[node] = seen[parent]
            seen[node, node] = True
        return seen


def build(sequences: Sequence[Sequence[int]], bos: int) -> Tree:
    """Return the trie of `sequences` (token ids without BOS; empty ones are the root alone)."""
    tokens, parents, depths = [bos], [-1], [0]
    children: dict[tuple[int, int], int] = {}
    paths: list[list[int]] = [[] for _ in sequences]
    # Sorted insertion makes the numbering depth-first.
    for index in sorted(range(len(sequences)), key=lambda i: tuple(sequences[i])):
        node = 0
        path = paths[index]
        for token in sequences[index]:
            child = children.get((node, token))
            if child is None:
                child = len(tokens)
                children[node, token] = child
                tokens.append(token)
                parents.append(node)
                depths.append(depths[node] + 1)
            node = child
            path.append(node)
    return Tree(np.array(tokens), np.array(parents), np.array(depths), paths)


def pack(tree: Tree, budget: int) -> list[Block]:
    """Split the tree into blocks of at most `budget` tokens (more only where a single path is longer than that)."""
    inner = tree.inner
    if not len(inner):
        return []
    # Children of each inner node, in node order: the targets of its logits.
    order = np.argsort(tree.parents[1:], kind="stable") + 1
    first = np.searchsorted(tree.parents[order], inner, side="left")
    last = np.searchsorted(tree.parents[order], inner, side="right")
    blocks = []
    start = 0
    while start < len(inner):
        path = _ancestors(tree, int(inner[start]))
        stop = min(len(inner), start + max(1, budget - len(path)))
        members = np.concatenate([np.array(path, dtype=np.int64), inner[start:stop]])
        place = {node: row for row, node in enumerate(members.tolist())}
        local = np.array([place.get(parent, -1) for parent in tree.parents[members].tolist()])
        counts = last[start:stop] - first[start:stop]
        kids = order[first[start] : last[stop - 1]]
        blocks.append(
            Block(
                tokens=tree.tokens[members],
                parents=local,
                depths=tree.depths[members],
                sources=np.repeat(np.arange(len(path), len(members)), counts),
                targets=tree.tokens[kids],
                nodes=kids,
            )
        )
        start = stop
    return blocks


def _ancestors(tree: Tree, node: int) -> list[int]:
    path = []
    parent = int(tree.parents[node])
    while parent >= 0:
        path.append(parent)
        parent = int(tree.parents[parent])
    return path[::-1]
