"""Which pairs of pictures show the same: laid over each other as well as can be, down to fine detail."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from coverslip.audit.copies.aligning import Pairs, align, correlation, make_level
from coverslip.audit.copies.describing import likely_turns, turning
from coverslip.audit.copies.searching import Candidates
from coverslip.audit.copies.small_pictures import SIDE, floats_of
from coverslip.audit.copies.warping import disc, grid, warp

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]
Bytes = npt.NDArray[np.uint8]

_N_TURNS = 2  # likely ones, of the picture and of its mirror image
_COARSE, _MIDDLE = 16, 32  # px
_LEAST_COARSE, _LEAST_MIDDLE = 0.8, 0.92  # correlations below which finer ones are not looked at
_FINE_SD = 2.0  # px of the small picture: detail is what a blur of this width takes away
_LEAST_TELLING = 64  # pixels that hold the detail: a dot is like every other dot
_RIM = 0.9  # of the disc's area: beyond, blurs look at what lies outside
AT_ONCE = 500  # pairs

# Chosen after trials on real sets with planted copies; drawn cells agree with them (benchmarks/copies.py --thresholds).
_LEAST_WHOLE, _LEAST_FINE = 0.9, 0.88
_N_ALIKE = 40  # unrelated pairs
_BEYOND_UNRELATED = 4.0  # standard deviations, of Fisher's z of the correlation of detail


@dataclass(frozen=True)
class Matches:
    """Pairs that can be laid over each other, and how well."""

    first: Ints
    second: Ints
    whole: Floats  # correlation of the pictures
    fine: Floats  # correlation of their detail
    place: Ints  # among the pairs that were given


def match(pictures: Bytes, first: Ints, second: Ints) -> Matches:
    """Lay the second pictures over the first; pairs that differ already when seen coarsely are left out.

    Args:
        pictures: (N, SIDE, SIDE).
        first, second: (n,) rows.
    """
    used, where = np.unique(np.concatenate((first, second)), return_inverse=True)
    whole = floats_of(pictures[used])
    pairs = _turned(_shrunk(whole, _MIDDLE), where[: len(first)], where[len(first) :])
    pairs, score = align(make_level(_smooth(_shrunk(whole, _COARSE), 0.7)), pairs, 2)
    best = score.reshape(-1, 2 * _N_TURNS).argmax(axis=1) + np.arange(len(first)) * 2 * _N_TURNS
    pairs, kept = pairs[best], score[best] > _LEAST_COARSE
    place = np.flatnonzero(kept)
    pairs, score = align(make_level(_shrunk(whole, _MIDDLE)), pairs[kept], 3)
    place, pairs = place[score > _LEAST_MIDDLE], pairs[score > _LEAST_MIDDLE]
    needed, pairs = _only_needed(whole, pairs)
    pairs, score = align(make_level(needed), pairs, 4)
    return Matches(first[place], second[place], score, _detail(needed, pairs), place)


def _only_needed(pictures: Floats, pairs: Pairs) -> tuple[Floats, Pairs]:
    """The pictures that some pair still shows, and the pairs by their numbers: fine pictures take the most time."""
    n, n_pairs = len(pictures), len(pairs.first)
    used, where = np.unique(np.concatenate((pairs.first, pairs.second % n)), return_inverse=True)
    is_mirrored = pairs.second >= n
    return pictures[used], Pairs(where[:n_pairs], where[n_pairs:] + is_mirrored * len(used), pairs.pose)


def _turned(pictures: Floats, first: Ints, second: Ints) -> Pairs:
    """Every pair in each of its likely turns, as it is and mirrored."""
    waves, mirrored = turning(pictures), turning(pictures[:, :, ::-1])
    as_is = likely_turns(waves[first], waves[second], _N_TURNS)
    angle = np.concatenate((as_is, likely_turns(waves[first], mirrored[second], _N_TURNS)), axis=1)
    is_mirrored = np.repeat((0, 1), _N_TURNS)
    source = (second[:, None] + is_mirrored * len(pictures)).reshape(-1)
    flat = angle.reshape(-1)
    pose = np.stack((np.cos(flat), np.sin(flat), np.zeros_like(flat), np.zeros_like(flat)), axis=1)
    return Pairs(np.repeat(first, 2 * _N_TURNS), source, pose)


def _detail(whole: Floats, pairs: Pairs) -> Floats:
    """(n,) correlation of what is small."""
    fine = whole - _smooth(whole, _FINE_SD)
    both = np.concatenate((fine, fine[:, :, ::-1])).reshape(2 * len(fine), SIDE * SIDE)
    warped, inside = warp(both, pairs.second, pairs.pose, SIDE)
    u, v = grid(SIDE)
    inner = (disc(SIDE) & (u * u + v * v <= _RIM)).astype(np.float32)
    squares = (both * inner) ** 2
    n_telling = squares.sum(axis=1) ** 2 / np.maximum((squares * squares).sum(axis=1), 1e-12)  # as if all were equal
    agreement = correlation(both[pairs.first], warped, inside * inner)
    return np.where(n_telling[pairs.first] < _LEAST_TELLING, np.float32(0), agreement)


def _shrunk(pictures: Floats, side: int) -> Floats:
    step = pictures.shape[1] // side
    small: Floats = pictures.reshape(-1, side, step, side, step).mean(axis=(2, 4))
    return small


def _smooth(pictures: Floats, sd: float) -> Floats:
    blur = _blur(pictures.shape[1], sd)
    smooth: Floats = np.matmul(np.matmul(blur, pictures), blur.T)  # quicker than filters, of pictures this small
    return smooth


@cache
def _blur(side: int, sd: float) -> Floats:
    """(side, side) weights of a Gaussian along a side."""
    pixel = np.arange(side)
    weight = np.exp(-(((pixel[:, None] - pixel) / sd) ** 2) / 2)
    blur: Floats = (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
    return blur


def least_agreements(pictures: Bytes, candidates: Candidates) -> Floats:
    """(N,) how well detail of another picture must agree for it to be a copy: more than that of unrelated ones.

    Plain shapes, such as chromosomes, agree in their outlines whatever they are; so it is asked of unrelated pairs that
    resemble the picture most.
    """
    first, places = candidates.unrelated_first, candidates.places
    fine = np.zeros(len(first), np.float32)  # of pairs that differ when seen coarsely
    for start in range(0, len(first), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        matches = match(pictures, first[part], candidates.unrelated_second[part])
        fine[start + matches.place] = matches.fine
    z = np.arctanh(np.clip(fine, 0, 0.999))
    least = np.empty(len(places), np.float32)
    squares, n_near = np.einsum("nd,nd->n", places[first], places[first]), min(_N_ALIKE, len(first))
    for start in range(0, len(places), AT_ONCE):
        distance = squares - 2 * (places[start : start + AT_ONCE] @ places[first].T)
        near = np.argpartition(distance, n_near - 1, axis=1)[:, :n_near]
        middle, high = np.quantile(z[near], (0.5, 0.8), axis=1)  # true copies among them lie beyond
        least[start : start + AT_ONCE] = np.tanh(middle + _BEYOND_UNRELATED * (high - middle) / 0.8416)
    return np.maximum(least, np.float32(_LEAST_FINE))


def are_copies(matches: Matches, least: Floats) -> npt.NDArray[np.bool_]:
    """(n,) which pairs show the same; `least` is of each picture."""
    needed = np.maximum(least[matches.first], least[matches.second])
    return np.asarray((matches.fine >= needed) & (matches.whole >= _LEAST_WHOLE))
