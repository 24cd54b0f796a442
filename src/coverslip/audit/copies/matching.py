"""Which pairs of pictures show the same: laid over each other as well as can be, down to fine detail."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from coverslip.audit.copies.aligning import Level, Pairs, align, correlation, make_level
from coverslip.audit.copies.describing import likely_turns, turning
from coverslip.audit.copies.small_pictures import SIDE, floats_of, known_of
from coverslip.audit.copies.warping import disc, grid, warp

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]
Bytes = npt.NDArray[np.uint8]

_N_TURNS = 4  # likely ones, of the picture and of its mirror image
_COARSE, _MIDDLE = 16, 32  # px
_LEAST_COARSE, _LEAST_MIDDLE = 0.8, 0.92  # correlations below which finer ones are not looked at
_SD = 1.0, 2.0  # px of the small picture: less is noise and what compression leaves, detail lies between
_LEAST_TELLING = 64  # pixels that hold the detail: a dot is like every other dot
_RIM = 0.9  # of the disc's area: beyond, blurs look at what lies outside
_SHARPEST = 0.9999  # correlations beyond are not told apart
AT_ONCE = 500  # pairs

# Sum of Fisher's z of both correlations, so that plain shapes, which agree in their outlines whatever they are, must
# agree very well, and textures less so. Above all pairs of different drawn images: benchmarks/copies.py --thresholds.
_LEAST_LIKENESS = 4.4
# Free to turn, chromosomes of one class find an angle at which they agree: of 142 pairs among 20,000 real images this
# takes 86 away, and no planted copy. 4.8 would take 100, but a fifth of those found in a set that was augmented too.
_ODD_ANGLE = 3.0  # degrees away from a right angle
_LEAST_LIKENESS_AT_ODD_ANGLES = 4.6
_LEAST_ADVANTAGE = 2.0  # in the same units: by which copies fit better as they are than turned by right angles


@dataclass(frozen=True)
class Matches:
    """Pairs that can be laid over each other, and how well."""

    first: Ints
    second: Ints
    whole: Floats  # correlation of the pictures without their noise
    fine: Floats  # correlation of their detail
    is_askew: npt.NDArray[np.bool_]  # whether they fit turned by an angle that is not a right one

    @property
    def likeness(self) -> Floats:
        """(n,) the higher, the more alike."""
        z: Floats = np.arctanh(np.clip((self.whole, self.fine), 0, _SHARPEST)).sum(axis=0)
        return z

    @property
    def are_copies(self) -> npt.NDArray[np.bool_]:
        """(n,) which pairs show the same."""
        least = np.where(self.is_askew, _LEAST_LIKENESS_AT_ODD_ANGLES, _LEAST_LIKENESS)
        return np.asarray(self.likeness >= least)


def place(pictures: Bytes, first: Ints, second: Ints) -> tuple[Pairs, Floats]:
    """Lay the second pictures over the first, seen coarsely; pairs that differ already then are left out.

    Args:
        pictures: (N, SIDE, SIDE).
        first, second: (n,) rows.

    Returns:
        m pairs of rows, with N added to the second row where it is mirrored, and (m,) their correlations.
    """
    used, where = np.unique(np.concatenate((first, second)), return_inverse=True)
    whole, known = floats_of(pictures[used]), known_of(pictures[used]).astype(np.float32)
    pairs = _turned(_shrunk(whole, _MIDDLE), where[: len(first)], where[len(first) :])
    coarse = make_level(_smooth(_shrunk(whole, _COARSE), 0.7), _shrunk(known, _COARSE))
    pairs, score = align(coarse, pairs, 2)
    best = score.reshape(-1, 2 * _N_TURNS).argmax(axis=1) + np.arange(len(first)) * 2 * _N_TURNS
    pairs = pairs[best[score[best] > _LEAST_COARSE]]
    pairs, score = align(make_level(_shrunk(whole, _MIDDLE), _shrunk(known, _MIDDLE)), pairs, 6)
    pairs, score = pairs[score > _LEAST_MIDDLE], score[score > _LEAST_MIDDLE]
    is_mirrored = pairs.second >= len(used)
    second = used[pairs.second % len(used)] + is_mirrored * len(pictures)
    return Pairs(used[pairs.first], second, pairs.pose), score


def match(pictures: Bytes, placed: Pairs) -> Matches:
    """How alike (N, SIDE, SIDE) pictures are that were laid over each other coarsely."""
    used, pairs = _only_needed(len(pictures), placed)
    whole = floats_of(pictures[used])
    level = make_level(whole, known_of(pictures[used]).astype(np.float32))
    pairs, _ = align(level, pairs, 8)
    whole_fit, fine_fit = _correlations(whole, level, pairs)
    matches = Matches(placed.first, placed.second % len(pictures), whole_fit, fine_fit, _is_askew(pairs))
    is_plain = _fit_in_any_turn(whole, level, pairs, matches)
    return replace(matches, fine=np.where(is_plain, np.float32(0), fine_fit))


def _fit_in_any_turn(pictures: Floats, level: Level, pairs: Pairs, matches: Matches) -> npt.NDArray[np.bool_]:
    """(n,) pairs that seem to be copies, and would so too if one were turned: plain discs and rods."""
    is_plain = np.zeros(len(pairs.first), bool)
    seeming = np.flatnonzero(matches.are_copies)
    if not len(seeming):
        return is_plain
    turn = np.exp(1j * np.pi / 2 * np.arange(1, 4))
    turned = pairs[np.repeat(seeming, len(turn))]
    middle, turn = _middles(pictures)[turned.first], np.tile(turn, len(seeming))
    scaled, shift = (turned.pose[:, k] + 1j * turned.pose[:, k + 1] for k in (0, 2))
    scaled, shift = scaled * turn, shift + scaled * middle * (1 - turn)
    pose = np.stack((scaled.real, scaled.imag, shift.real, shift.imag), axis=1).astype(np.float32)
    turned, _ = align(level, Pairs(turned.first, turned.second, pose), 4)
    fit = Matches(turned.first, turned.second, *_correlations(pictures, level, turned), _is_askew(turned))
    best = fit.likeness.reshape(len(seeming), -1).max(axis=1)
    is_plain[seeming] = matches.likeness[seeming] - best < _LEAST_ADVANTAGE
    return is_plain


def _is_askew(pairs: Pairs) -> npt.NDArray[np.bool_]:
    angle = np.degrees(np.arctan2(pairs.pose[:, 1], pairs.pose[:, 0]))
    return np.asarray(np.abs((angle + 45) % 90 - 45) > _ODD_ANGLE)


def _middles(pictures: Floats) -> npt.NDArray[np.complex128]:
    """(N,) where the middle of what differs most from the rest lies, as u + iv."""
    u, v = grid(SIDE)
    flat = pictures.reshape(-1, SIDE * SIDE)
    weight = (flat - np.median(flat, axis=1, keepdims=True)) ** 2 * disc(SIDE)
    middle: npt.NDArray[np.complex128] = weight @ (u + 1j * v) / np.maximum(weight.sum(axis=1), 1e-9)
    return middle


def _only_needed(n: int, pairs: Pairs) -> tuple[Ints, Pairs]:
    """The rows, of n pictures, that some pair still shows, and the pairs by their numbers among these."""
    n_pairs = len(pairs.first)
    used, where = np.unique(np.concatenate((pairs.first, pairs.second % n)), return_inverse=True)
    is_mirrored = pairs.second >= n
    return used, Pairs(where[:n_pairs], where[n_pairs:] + is_mirrored * len(used), pairs.pose)


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


def _correlations(pictures: Floats, level: Level, pairs: Pairs) -> tuple[Floats, Floats]:
    """(n,) of the pictures without their noise, and (n,) of their detail; 0 where that is but a dot."""
    smooth = _smooth(pictures, _SD[0])
    u, v = grid(SIDE)
    inner = (disc(SIDE) & (u * u + v * v <= _RIM)).astype(np.float32)
    found = []
    for shown in (smooth, smooth - _smooth(pictures, _SD[1])):
        both = np.concatenate((shown, shown[:, :, ::-1])).reshape(2 * len(shown), SIDE * SIDE)
        warped, inside = warp(both, pairs.second, pairs.pose, SIDE, level.known)
        found.append(correlation(both[pairs.first], warped, inside * inner * level.known[pairs.first]))
    squares = (both * inner) ** 2
    n_telling = squares.sum(axis=1) ** 2 / np.maximum((squares * squares).sum(axis=1), 1e-12)  # as if all were equal
    return found[0], np.where(n_telling[pairs.first] < _LEAST_TELLING, np.float32(0), found[1])


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
