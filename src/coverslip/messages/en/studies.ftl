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

plan-path-or-parts = give either path or parts; each part has a path

plan-keys-of-parts = a merged dataset has no group or group_pattern of its own, and its parts have only these recipe keys: { $keys }

plan-repeated-names = { $names }: each name must be unique

plan-invalid-numbers = the values must be different, and none may be below 0

plan-unknown-baseline = there is no baseline '{ $baseline }'; choose one of: { $variants }

plan-unknown-name = { $kind ->
        [arm] there is no arm { $names }
       *[network] there is no network { $names }
    }

study-training-error = { $training }: { $what }

merged-crops-differ = { $training }: the parts of this dataset have different crops, and a length in µm cannot be merged with others
    .do = Give all parts the same `crop_size` and `crop_margin`, or lengths in pixels.

study-name-collision = '{ $first }' and '{ $second }' would have the same run folder, { $folder }
    .do = Use names that differ in letters or digits.

# Presets

unknown-preset = { $reason }
    .do = Choose one of these presets.

pretraining-on-compared-dataset = Networks would be pretrained on a dataset that the study tests them on
    .do = Choose other datasets for pretraining. The study `two-step` pretrains on each dataset and tests on the others.

pretraining-on = pretraining on { $dataset }

own-study = Comparison of networks

preset-without-first-step = The recipe of { $preset } has two steps, and the images of its first step are missing
    .do = Name them: `--set init.train_on=DATA`. To compare one step with two, run `coverslip study run { $preset } DATA DATA`.

unknown-arm = There is no arm '{ $name }' in this study
    .do = Choose from: { $arms }.

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

two-step-datasets = Two-step transfer needs two datasets or more, not { $n_datasets }
    .do = Name two datasets or more. Networks are trained on each of them with and without pretraining on the others.

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

study-budget-exceeded = The first training takes about { $duration }, longer than the time limit. It starts anyway.

cell-begun = Training started: { $cell }

cell-failed = Training failed: { $cell }: { $reason }

pretraining-failed = The pretraining that this training starts from failed
    .do = Correct the cause of that failure first, then resume the study.

# Clusters

error-on-computer = { $what }, on the computer { $computer }

training-folder-of-other-user = The folder for trainings belongs to another user
    .do = Remove the folder.

different-images-on-computer = The images differ from those of the study: { $sources }
    .do = Copy them again, so that images and labels are the same on all computers.

other-version-on-computer = coverslip { $version } is installed, and the study runs with { $expected }
    .do = Install the same version of coverslip on all computers.

cluster-answer-no-bytes = it does not consist of bytes

cluster-answer-other-recipe = its recipe is not the one that was sent

cluster-answer-no-status = it has no status

cluster-answer-link = it contains a link or a special file

cluster-answer-other-files = it contains files that do not belong to the training

cluster-answer-not-unpacked = it could not be unpacked

# Analyses

not-timed = { $training }: the training time could not be estimated. { $what }.

damaged-measurements = The measurements cannot be read: { $what }
    .do = Delete the file, and measure again.

no-latency = { $dataset }, { $model }: the prediction time could not be measured. { $what }.

no-distance = { $training }: the distance could not be measured. { $what }.

no-heat-maps = { $dataset }, { $model }: no heat maps could be drawn. { $what }.

plan-changed = { $n_trainings ->
        [one] { $n_trainings } training has
       *[other] { $n_trainings } trainings have
    } other values of { $keys } than the plan: the plan was edited, or a training was ended early or its thresholds were changed. To use the values of the plan, move the run folders away and resume the study.

smaller-batches-in-trainings = batch_size = { $sizes } in { $n_trainings ->
        [one] { $n_trainings } training
       *[other] { $n_trainings } trainings
    }, because memory was not sufficient

idle-pretraining = The pretraining of { $regime } with { $model } (seed { $seed }) did not change the network: fine-tuning did not improve validation results there, so the instant classifier was kept. Trainings that start from it therefore begin with the weights from before the pretraining.

merged-class-missing = the merged dataset does not have this class

# Report of a study

study-dataset = { $dataset }, at most { $n } training images per class

# A heading or a table of a study's report: `.title`, and the `.columns` of its table, separated by ` | `.

study-mean = mean of { $n_datasets } datasets

study-results = { $metric } on test images, and below it the 95% CI: of the mean over splits, by the corrected resampled t test; of a single split, over its test images or groups.{ $n_missing ->
        [0] { "" }
        [one] {" "}The result of { $n_missing } split is missing.
       *[other] {" "}The results of { $n_missing } splits are missing.
    }
    .title = Results
    .network = network
    .rank = mean rank

study-splits = Images that the trainings may use, and those of one split. For comparison: predicting always the largest class gives its share as accuracy, and 1 / classes as balanced accuracy.
    .title = Images and splits
    .columns = dataset | images | groups | classes | splits | training images | test images | largest class | 1 / classes
    .copies = { $n }, with copies

study-metrics = Mean ± SD over splits, and below it the 95% CI as in the table of results. Means over datasets have the SD over datasets.
    .title = All metrics
    .columns = dataset | network | splits | missing

study-confusions = Confusion matrices

study-images = { $images ->
        [merged] test, merged network
        [training] training
        [validation] validation
       *[test] test
    }

study-fits = Mean ± SD over the fine-tuned networks of all splits and seeds, at the selected epoch. A last layer that is fitted again afterwards is not included. Training images have the augmentation of the recipe, or are copies with it, and the network changes during the epoch. Where validation images select the epoch, their values are too high as an estimate for new images.{ $is_tested ->
        [true] {" "}Where test images select the epoch, rows of validation images are of these test images.
       *[false] {""}
    }
    .title = Training and validation metrics
    .columns = dataset | network | images | networks | { $metrics }

class-metric = { $metric ->
        [precision] Precision
        [recall] Recall
       *[f1] F1
    }

# Published values that are no metrics.
published-quantity = { $quantity ->
        [parameters] Parameters (millions, with the classes of each)
        [flops] “FLOPs” of the publication (millions)
        [seconds_one] Time for one image (s)
        [seconds_many] Time for 100 images (s)
        [time_ratio] Ratio of the times
        [time] Time (publication: no unit; here: one image, s)
        [training_hours] Time of a training (h)
       *[mmd2] MMD²
    }

study-report-name = study { $name }{ $publications ->
        [none] {""}
       *[other] : { $publications }
    }

study-title = { $publications ->
        [none] {""}
       *[other] { $publications }:{" "}
    }{ $networks } on { $datasets }{ $n_arms ->
        [0] {""}
       *[other] , in { $n_arms } arms
    }

study-failures = These trainings ended with an error. The tables above count them as missing.
    .title = Failed trainings
    .columns = training | reason

study-unreadable = These trainings are finished, but one of their tables cannot be read. Tables and figures lack what needs it.
    .title = Trainings with unreadable tables
    .columns = training | reason

study-differences = Differences are compared on the same splits. Each is followed by its 95% confidence interval (CI). CI and p: { $method }. Splits share training images, so the standard deviation over splits is not a standard error; the correction accounts for this. Two networks are equivalent if they differ by less than { $equivalence }.
    .title = Differences from the baseline
    .columns = dataset | network | baseline | difference | result | p{ "\u00A0" }(Holm) | P(better) | P(equivalent) | P(worse)

study-usual-tests = The same differences with a paired t test over splits and with a bootstrap over splits. Both treat splits as independent studies. { $error_rates }
    .title = Tests used in publications
    .columns = dataset | network | baseline | paired t test: p | bootstrap: 95% CI | result

study-overall = Means and mean ranks (1 is best) are over datasets without common images: { $datasets }. The CI of a mean combines those of the datasets as independent, and says nothing about other datasets. Differences in mean rank below { $critical } are not statistically significant (Nemenyi test at 0.05, which treats datasets as independent).

study-left-out = “{ $dataset }” is excluded from means and ranks: { $n_common } of its { $n_images } images are also in { $others }.

study-costs = Size and training time on the first dataset, at its image size and with its classes. The time per image is that of a batch from file to prediction, the mean over datasets. If there are means over the datasets of several arms, all values are of the last arm.
    .title = Performance and cost
    .columns = network | parameters (millions) | multiply-adds (billions) | file (MB) | training (s) | time per image (ms)

study-sizes =
    .title = Learning curves

study-latencies = Measured on { $processor } with { $n_threads ->
        [one] { $n_threads } thread
       *[other] { $n_threads } threads
    }: the median of ten repeats, and below it the shortest and the longest time. “Total” includes reading the file and preprocessing.
    .title = Prediction time
    .columns = dataset | network | image size (px) | engine | network, one image (s) | network, batch (s) | total, one image (s) | total, batch (s) | images in batch | ratio batch / one image

study-latency-runs =
    .one = All repeats for one image, total (s)
    .many = All repeats for a batch, total (s)
    .columns = dataset | network | mean | median

study-distances = Distances between the features of both datasets, by networks with ImageNet weights at the training image size. MMD² has a 95% CI; p is the probability of such an MMD² if groups are assigned to the datasets at random. CORAL compares feature covariances. The gain is the difference in { $metric } from the baseline. A small distance does not prove that pretraining on these images helps.
    .title = Distance to the pretraining images
    .columns = dataset | pretraining images | network | MMD² | p | CORAL | gain in { $metric }

study-heat-maps = Three test images of the first split, from classes spread over the list of classes. Each initialization has a row. A heat map is shown if it passes two sanity checks: it must change if the network has random weights, and blurring the image in the order of the map must lower the predicted probability faster than blurring from the center outward. If no method passes, the first one is drawn with a stamp; it shows nothing about the network.
    .title = Heat maps
    .columns = dataset | network | initialization | method | correlation with random weights | gain over center | its 95% lower bound | checks

study-epochs = Training and validation loss are the same quantity: the loss of the recipe without class weights and penalty. Mean over splits. The epoch is selected on validation images, unless the recipe or a published protocol states otherwise.{ $is_tested ->
        [true] {" "}Where test images select the epoch, curves of validation images are of these test images.
       *[false] {""}
    } Epoch 0 is the classifier that fine-tuning starts from. Of more than six networks, the six best are shown.
    .title = Training curves

study-merged = Metrics of a dataset, by the network trained on this dataset and by the network trained on several datasets, both on test images of this dataset, over all splits and seeds. The test images can differ, so the two values are not tested against each other.
    .title = Single and merged datasets
    .heading = Each class
    .columns = dataset | network | class | test images | precision | recall | F1 | merged dataset | its test images | its precision | its recall | its F1

study-merged-all =
    .title = Each dataset in the merged dataset
    .columns = dataset | network | merged dataset | merged

study-arms = { $metric } of pooled test images, as the mean over splits and seeds. The values of each arm are those of its own test images: arms with and without groups split them differently, and balancing before the split excludes images. Only splits and seeds of both arms count. The 95% CI is over groups if an arm keeps groups together, otherwise over images. It is of each row alone, without a correction for the number of rows, and does not include the variation by training again. With several folds, the 95% CI under Results is over folds instead, by a t test with few degrees of freedom, so the two can differ much.
    .title = Protocol and recipe
    .columns = arms | dataset | network | first arm | second arm | difference

study-arm-settings =
    .title = Main settings, and those in which arms differ
    .columns = setting

# What an arm of a publication's study is.
study-arm = { $arm ->
        [A] the recipe and the protocol of the publication. A − B is what its protocol adds; it can include other splits and other numbers of training images.
        [B] the recipe of the publication without shortcuts: groups and duplicates stay together, no test image affects a choice, and images are augmented after the split, in training only. B − C is what its recipe adds.
        [C] the recipe of coverslip, with the protocol of B.
        [image-split] B, but images of one group can be in training and test.
        [test-epoch] B, but the test images select the epoch.
        [copies] image-split, but images are augmented before the split, so that copies of one image can be in training and test.
        [augmented-validation] B, but augmented copies of validation images also select the epoch.
        [balance] B, but frequent classes are reduced before the split, so that the test images have equal classes, too.
       *[other] defined in the plan of the study.
    }

study-arms-without-groups = No groups were given, so A − B does not measure what keeping groups together changes.

study-arm-absent = { $arm } (not in this study): { $meaning }

study-few-splits = too few splits

study-equal-splits = equal on every split

arm-training-images = training images

arm-groups = { $ignores_groups ->
        [true] divided
       *[false] kept together
    }

study-paper = Tables and figures of { $publication }
    .columns = item | content | counterpart

study-paper-item = { $item }: { $title }

study-paper-section = In this report: { $n ->
        [one] section { $sections }.
       *[other] sections { $sections }.
    }

study-paper-command = Not part of this study. To make it, run: { $command }

study-paper-missing = This study has no counterpart.

study-paper-values = Published values: below.

study-same-in-all-rows = In all rows: { $values }.

study-paper-without = This study has no values for { $names }.

study-paper-schemas = Schemas and examples without results: { $items }.

study-roc =
    .title = ROC curves

study-roc-drawing = ROC curves of { $network }, as the mean over the networks of all splits and seeds, each on its own test images. Legends show the mean area under the curve (AUROC) of the averages and of the four classes with the lowest areas.

study-published = Published values are from other images and protocols, so they are not tested against the values of this study. Each value of this study is the mean over the datasets that belong to the published one by their names, or over all datasets if the publication has values of no particular one; “–”: there is none. Of datasets with common images, one counts. If the publication does not state how a metric is averaged over classes, the macro average of this study is shown.
    .title = Published values
    .columns = network of the publication | dataset | images or class | metric | published | { $arms } | source
    .own = this study

study-settings = { $n_ways ->
        [one] { "" }
       *[other] { $n_ways } ways of training were compared on test images. The metrics of the best of several tend to be too high.{" "}
    }{ $is_instant ->
        [true] The shrinkage was selected on validation images.
       *[false] The shrinkage and the epoch were selected on validation images, unless the recipe or a published protocol states otherwise. A selected epoch of 0 is the classifier before fine-tuning. Networks that differ only in what is fine-tuned then have equal results.
    }
    .title = Settings
    .columns = dataset | network | settings that differ | trained networks | shrinkage | epochs | selected epoch

study-forest-drawing = Difference in { $metric } from the baseline (dot) with its 95% CI (line) on each dataset. Networks are in the order of their size. A diamond is the mean over datasets without common images; hollow dots are datasets that this mean leaves out.
    .x = difference in { $metric } from the baseline
    .band = equivalent (±{ $equivalence })

study-gains =
    .title = Gain by the size of networks

study-gains-drawing = Difference in { $metric } from the baseline (dot) with its 95% CI (line) by the parameters of the networks, { $dataset }.
    .x = parameters (millions)

study-bars =
    .title = Bar charts

study-bars-drawing = { $metric } of each network on each dataset, with its 95% CI (line).

study-pareto-drawing = { $metric } with its 95% CI by { $is_time ->
        [true] prediction time
       *[false] multiply-adds
    }, { $dataset }. Networks on the Pareto front have names: no network that costs less is better.
    .cost = { $is_time ->
        [true] time per image (ms), from file to prediction in a batch
       *[false] multiply-adds for one image (billions)
    }
    .front = Pareto front

study-confusions-drawing = Confusion matrices on test images of the first split, or of all its folds, { $dataset }. Cells are shaded by the share of the class. Of more than six networks, the six best are shown.
    .x = predicted class
    .y = class

study-epochs-drawing = Loss and accuracy by epoch, { $dataset }.
    .train-loss = Training loss
    .train-accuracy = Training accuracy
    .val-loss = Validation loss
    .val-accuracy = Validation accuracy
    .train-penalty = Penalty in training
    .x = epoch

study-sizes-drawing = { $metric } by number of training images, { $dataset }. Of more than six networks, the six best are shown.
    .x = training images per class
    .share = training share of the images
    .y = { $metric } (lines: 95% CI)

study-method = corrected resampled t (Nadeau and Bengio 2003), Holm over the comparisons of a dataset

study-error-rates = In simulated studies with five folds and no true difference, the paired t test finds a significant difference in 6% to 8% of the studies, the bootstrap in 19% to 21%, and the corrected test in 2%.

study-result-arms = { $metric } of { $name } on the pooled test images of { $dataset }: { $published } with the recipe and protocol of the publication{ $n ->
        [one] {""}
       *[other] {" "}(the best of { $n } results)
    }, { $honest } without the shortcuts of the protocol. { $significance ->
        [yes] The protocol adds { $difference } (95% CI { $low } to { $high }).
        [no] The difference, { $difference } (95% CI { $low } to { $high }), is not statistically significant.
       *[unknown] The difference is { $difference }, without a confidence interval.
    }{ $has_own ->
        [true] {" "}The recipe of coverslip gives { $own }.
       *[false] {""}
    }

study-result-networks = { $n ->
        [one] { $metric } of { $name } on { $dataset }: { $value }.
       *[other] { $has_weights ->
            [true] { $name } has the best { $metric } of { $n } combinations of network and initial weights on { $dataset }: { $value }.
           *[false] { $name } has the best { $metric } of { $n } networks on { $dataset }: { $value }.
        }
    }{ $has_difference ->
        [true] {" "}Compared with { $baseline }: { $verdict }.
       *[false] {""}
    }

study-verdict = { $result ->
        [few-splits] too few splits
        [constant] the same difference on every split, so not testable
        [equal] equal on every split
        [better] better
        [worse] worse
        [equivalent] equivalent
        [splits-needed] not statistically significant; more splits could change this
        [size-needed] { $has_groups ->
            [true] not statistically significant; a difference of this size needs about { $n_needed } groups
           *[false] not statistically significant; a difference of this size needs about { $n_needed } images
        }
       *[not-significant] not statistically significant
    }

study-usual-verdict-none = not significant

study-usual-verdict = { $is_shown ->
        [true] significant by { $tests }
       *[false] significant by { $tests }; not by the corrected test
    }

## The page of a report

study-summary = { $metric } on test images. { $n_arms ->
        [0] All networks were tested on the same splits of a dataset.
       *[other] All networks of an arm were tested on the same splits of a dataset; arms can have other splits.
    }{ $n_missing ->
        [0] {""}
       *[other] {" "}Some trainings are missing, so that values of networks can be of other splits; their differences are of common ones.
    }{ $is_instant ->
        [true] {" "}No network was fine-tuned: each is an instant classifier, a linear classifier on features of the pretrained network.
       *[false] { "" }
    }

study-notes = Differences from the publication

## Presets: studies of publications

preset-aimic = ten networks in five folds, averaged over datasets
    .protocol = Five folds by image, without intervals. In the worked example, the epoch is selected on the tested images. Values of table 4 by other authors are from other images or splits.

preset-efficientnetv2-cell = how much of a network to freeze, and four networks
    .protocol = One run on one split after augmentation. The values fit 54 test images, and 52 for NASNet-Mobile. The averaging of precision, recall and F1 is not stated. VGG-16 is from another publication and another split.

preset-mobilevit-mn = MobileViT with and without separable convolutions and attention
    .protocol = One run on one split by image: 2,083 normal cells and 145 cells with micronuclei in the test set. Avg_Acc is taken as balanced accuracy, which fits its values. The averaging of F1 is not stated; in tables 2 and 3 it is not the macro average, which stands beside it here. Table 4 exchanges the F1 and ROC of the proposed network, compared with tables 2 and 3.

preset-mobincep = one small network for one dataset or all, with and without its loss
    .protocol = Five random splits by image (60% training, 20% validation, 20% test), mean ± SD. Values of table 5 by other authors are from other splits.

preset-two-step = random weights, ImageNet, and ImageNet with pretraining on another dataset
    .protocol = Five folds by image; the epoch is selected on the tested fold. The text names ranges of groups of networks; the bodies of its tables were not available.

preset-not-stated = Not stated in the publication. Values in { $arms }: { $settings }.

# Deviations of a preset from its publication

deviation-mobilevit-separable = A dense convolution is replaced by the most similar separable pair. The paper does not state its method.

deviation-mobilevit-attention = The position of attention is inferred from the printed numbers of parameters (placement: counts) in { $networks }.

deviation-mobilevit-networks = VGG-Att, AALNet, MSA-Net and other networks are missing, because the paper does not describe them.

deviation-mobincep-mobilenet = The paper trained MobileNetV2 from random weights under the conditions of its original publication, without stating them. In this preset, it has the recipe of Mobincep, so that the difference is that of the networks.

deviation-mobincep-architecture = The paper does not state the widths and the depth of the network, the features and the weights of the loss, or how K-means starts. coverslip chose them.

deviation-augmentation-ranges = The publication states only the types of data augmentation. coverslip chose their ranges.

deviation-two-step-degraded = Both datasets are also used with blur, smaller content and noise in training and test, because the paper explains its results by the quality of images.

deviation-two-step-epoch = The second step starts from the best epoch of the first step on the validation images of the first step, even if it is not better than ImageNet weights there. Its last layer starts at random. The paper does not state the epoch, whether the network is that of a fold, or whether its last layer is used.

deviation-two-step-duplicates = The training is refused if images of the first step are duplicates of test images.

deviation-two-step-momentum = SGD has a momentum of 0.9. The paper does not state it.

deviation-duplicates = Exact duplicates are in the same set of a split.

deviation-near-duplicates = In { $arms }, near-duplicates are in the same set of a split.

deviation-training-images = { $n_images } training images of each class at most. The results cannot be compared with those of the publication.

deviation-splits = Other splits than in the publication. In the plan: { $folds ->
        [0] no folds
       *[other] { $folds } folds
    }, { $repeats ->
        [one] 1 split
       *[other] { $repeats } splits
    }. In the publication: { $stated_folds ->
        [0] no folds
       *[other] { $stated_folds } folds
    }, { $stated_repeats ->
        [one] 1 split
       *[other] { $stated_repeats } splits
    }.

deviation-folds = The publication has one split, { $stated } (training, validation, test). Here, each fold is the test set once, and split.val is the share of all images for validation: { $settings }.

deviation-epoch = In { $arms }, the epoch is kept that is best on validation images. The publication does not state which epoch it kept.

deviation-training-share = The publication has no validation images. In { $arms }, a part of the images is for validation ({ $settings }), so that the arms train on equally many images.

deviation-aimic-example = The publication states Adam, a learning rate of 0.0001, 500 epochs and a patience of 50 epochs for its worked example only. It says that the comparison had the same settings for all networks, but not which. In { $arms }: { $settings }.

deviation-aimic-augmentation = The publication does not state its data augmentation. In { $arms }, there is none.

deviation-aimic-epoch = For its worked example only, the publication states that the accuracy on test images selects the epoch. In { $arms }, coverslip does so in all trainings.

deviation-efficientnet-copies = The publication does not state how many augmented images it made of each image. In { $arms }: { $settings }.

deviation-efficientnet-optimizer = The publication states Adam in a table, and SGD and Adam in its text. In the plan: { $settings }.

deviation-efficientnet-others = The publication does not state how these networks were trained. In this preset, they have the recipe of the proposed network: { $networks }.

deviation-efficientnet-nasnet = NASNet-Mobile starts from the weights of Keras if they were imported, and from random weights otherwise. The publication does not state its initialization.

deviation-efficientnet-scaling = The publication divides intensities by 255, and the network of Keras does so itself by default. It does not state whether intensities were scaled twice. In the plan: { $settings }.

deviation-mobilevit-repeats = In each epoch, other images of the frequent class are drawn, as many as of the rare class with its repeats ({ $settings }). The publication made augmented images of the rare class, and removed images of the frequent class, once before training. Here, the rare class is the one with the fewest training images of a split, after any limit for each class; if classes are equal, all are repeated.

deviation-mobilevit-validation = The publication augmented its validation images, of both classes, and does not state how. In { $arms }, augmented copies of each validation image: { $settings }.

deviation-mobilevit-both-classes = Training images of both classes are augmented. The publication augmented those of the rare class only.

deviation-mobincep-intensities = The publication brings all images to “the same dynamic intensity range” and does not state how. In the plan: { $settings }.

deviation-auxiliary-heads = These networks have no auxiliary heads in training: { $networks }.

deviation-networks = The plan lacks these networks of the publication: { $networks }.

deviation-other-networks = These networks of the plan are not of the publication: { $networks }.

deviation-settings = The publication states other settings. In the plan: { $settings }. In the publication: { $stated }.

deviation-random-weights = These networks start from random weights, because their pretrained weights are not part of the installation: { $networks }.
