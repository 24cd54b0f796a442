# Studies: plans, presets, folders, trainings of a study on this computer and on clusters, and analyses.

# Plans

no-such-plan = There is no such plan
    .do = Check its name, or write a plan from a preset.

unreadable-plan = The plan could not be read: { $reason }
    .do = A plan is a YAML file with `datasets` and `models`.

table-instead-of-plan = This is a table of images, not the plan of a study
    .do = Write a plan (a YAML file with `datasets` and `models`) that names this table, or use the table with a preset.

invalid-plan = The plan is not valid: { $plan_faults }
    .do = Correct the plan.

plan-unknown-key = there is no key '{ $key }'

plan-misspelled-key = there is no key '{ $key }' (did you mean '{ $suggestion }'?)

plan-missing-key = '{ $key }' is missing

plan-invalid-value = { $key }: { $reason }

plan-unknown-regime = it must be { $regimes }, {"{"}two_step: DATA{"}"}, {"{"}run: PATH{"}"} or {"{"}name: NAME, recipe: …{"}"}

plan-two-initializations = give either two_step or run, not both

plan-number-of-perturbations = give exactly one of blur, brightness and scale, with a number

plan-repeated-names = { $names }: each name must be unique

plan-invalid-numbers = the values must be different, and none may be below 0

plan-unknown-baseline = there is no baseline '{ $baseline }'; choose one of: { $variants }

plan-unknown-dataset = there is no dataset '{ $dataset }'

study-training-error = { $training }: { $what }

study-name-collision = '{ $first }' and '{ $second }' would have the same run folder, { $folder }
    .do = Use names that differ in letters or digits.

# Presets

unknown-preset = { $reason }
    .do = Choose one of these presets.

preset-without-datasets = A preset needs datasets
    .do = Name one or more datasets: folders with one subfolder per class, or tables.

wrong-number-of-group-columns = { $n_columns } group columns do not match { $n_datasets ->
        [one] { $n_datasets } dataset
       *[other] { $n_datasets } datasets
    }
    .do = Give one column for all datasets, or one for each dataset.

wrong-number-of-group-patterns = { $n_patterns } group patterns do not match { $n_datasets ->
        [one] { $n_datasets } dataset
       *[other] { $n_datasets } datasets
    }
    .do = Give one pattern for all datasets, or one for each dataset.

two-step-datasets = Two-step transfer needs two datasets, not { $n_datasets }
    .do = Name two datasets. Networks are trained on each of them with and without pretraining on the other.

# Folders and trainings

initial-run-without-classifier = The earlier run that training starts from has no classifier
    .do = Correct the path of the run in the plan.

study-folder-not-empty = The folder is not empty
    .do = { $is_study ->
        [true] Choose another folder, or resume the study in this one. To change its plan, edit its study.yaml first.
       *[false] Choose another folder.
    }

no-study = There is no study in this folder
    .do = Name the folder that contains study.yaml.

study-stopped = The study was stopped
    .do = Resume the study to continue.

study-budget = There was no time left for { $n_trainings ->
        [one] { $n_trainings } training
       *[other] { $n_trainings } trainings
    }.

study-budget-robustness = There was no time left to test the robustness of { $n_trainings ->
        [one] { $n_trainings } training
       *[other] { $n_trainings } trainings
    }.

cell-begun = Training started: { $cell }

cell-failed = Training failed: { $cell }: { $reason }

pretraining-failed = The pretraining that this training starts from failed
    .do = Correct the cause of that failure first, then resume the study.

training-process-failed = { $last_lines }

training-process-ended = The process of the training ended with exit code { $exit_code } and without a message

# Clusters

no-computer-for-training = No computer of the cluster has { $threads ->
        [one] { $threads } core
       *[other] { $threads } cores
    }{ $has_gpus ->
        [true] {" "}and a GPU
       *[false] {""}
    } for a training
    .do = Reduce `threads` in the plan.

cluster-training-failed = The cluster could not run the training: { $reason }
    .do = Resume the study.

error-on-computer = { $what }, on the computer { $computer }

training-folder-of-other-user = The folder for trainings belongs to another user
    .do = Remove the folder.

different-images-on-computer = The images differ from those of the study: { $sources }
    .do = Copy them again, so that images and labels are the same on all computers.

cluster-answer-no-bytes = it does not consist of bytes

cluster-answer-other-recipe = its recipe is not the one that was sent

cluster-answer-no-status = it has no status

cluster-answer-link = it contains a link or a special file

cluster-answer-other-files = it contains files that do not belong to the training

cluster-answer-not-unpacked = it could not be unpacked

# Analyses

not-timed = { $training }: the training time could not be estimated. { $what }.

damaged-latencies = The file is damaged: { $reason }
    .do = Measure the prediction times again, or delete the file.

no-distance = { $training }: the distance could not be measured. { $what }.

no-heat-maps = { $dataset }, { $model }: no heat maps could be drawn. { $what }.

cell-not-perturbed = { $cell } could not be tested on perturbed images: { $what }

idle-pretraining = The pretraining of { $regime } with { $model } (seed { $seed }) did not change the network: fine-tuning did not improve validation results there, so the instant classifier was kept. Trainings that start from it start as without pretraining.

merged-class-missing = the merged dataset does not have this class
