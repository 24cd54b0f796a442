"""Of many classes, those to look at first."""

import numpy as np

from coverslip.evaluation.metrics import ConfusedPair, confused_classes, confused_pairs

MATRIX = np.array([[5, 0, 1, 4], [0, 9, 0, 1], [0, 2, 8, 0], [6, 0, 0, 2]])


def test_the_most_frequent_confusions_come_first_and_of_equals_those_that_take_more_of_their_class():
    assert confused_pairs(MATRIX, 3) == [
        ConfusedPair(true=3, predicted=0, n=6, share=6 / 8),
        ConfusedPair(true=0, predicted=3, n=4, share=4 / 10),
        ConfusedPair(true=2, predicted=1, n=2, share=2 / 10),
    ]
    assert confused_pairs(MATRIX, 9)[3:] == [
        ConfusedPair(true=0, predicted=2, n=1, share=1 / 10),
        ConfusedPair(true=1, predicted=3, n=1, share=1 / 10),
    ]
    assert confused_pairs(np.diag([3, 0, 4]), 5) == []


def test_classes_that_are_confused_stand_beside_each_other_and_others_fill_up():
    assert confused_classes(MATRIX, 2) == [0, 3]
    assert confused_classes(MATRIX, 4) == [0, 3, 1, 2]
    assert confused_classes(np.diag([3, 0, 4]), 2) == [0, 1]
