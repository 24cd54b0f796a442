# Reports, model cards and comparisons of runs.

# Errors

run-without-results = This run has no results yet
    .do = Let the training finish, or resume it.

evaluation-without-results = This evaluation has no results yet
    .do = Let it finish, or start it again.

number-of-compared-runs = A comparison needs at least two runs and at most { $most }, not { $n_runs }
    .do = Choose 2 to { $most } runs.

run-compared-twice = A run is named twice
    .do = Name each run once.

unreadable-published-values = The published values could not be read: { $what }
    .do = Provide a CSV file with the columns name and, for example, accuracy and macro_f1. Write shares as 0.95.

no-published-values = The table of published values has no rows
    .do = Provide a CSV file with the columns name and, for example, accuracy and macro_f1. Write shares as 0.95.

published-values-without-name = A row of the published values has no name
    .do = Provide a CSV file with the columns name and, for example, accuracy and macro_f1. Write shares as 0.95.

unknown-published-metric = A column of the published values is not a metric: { $reason }
    .do = Provide a CSV file with the columns name and, for example, accuracy and macro_f1. Write shares as 0.95.

invalid-published-value = The published value '{ $value }' is not a valid { $metric }
    .do = Provide a CSV file with the columns name and, for example, accuracy and macro_f1. Write shares as 0.95.
