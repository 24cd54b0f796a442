# Commands: wrong usage, and what they print besides tables.

# Errors

command-fault = { $what }
    .do = This is an error in coverslip. Please report it.

demo-folder-is-file = This is a file, not a folder
    .do = Choose another folder.

demo-folder-not-empty = The folder is not empty and was not created by a demo
    .do = Choose another folder.

no-image-predicted = None of the images could be read
    .do = The table lists the reason for each image.

# Wrong usage. Texts follow "Invalid value: ".

usage-columns = '{ $column }' { $is_repeated ->
        [true] is given twice.
       *[false] is not NAME=COLUMN, such as path=File.
    }

usage-read-plan = { $name ->
        [z] it is the number of a z-plane from 0, max, mean, best-focus or channels.
        [region] it is X,Y,WIDTH,HEIGHT in pixels, such as 0,0,256,256.
       *[other] it is a list of numbers or names, separated by commas.
    }

usage-object-source = give one of --masks, --outlines, --points and --finder.

usage-finder-setting = { $key }: { $reason }. The settings are { $keys }.

usage-out-or-labels = name either --out, to draw images, or --labels, to compare labels.

usage-proxy = '{ $address }' is neither an IP address nor a network such as 10.0.0.0/24.

usage-user-header = a header is trusted only from a proxy; name its address with --proxy.

usage-size = '{ $value }' is not a size such as 8GB or 500MB.

usage-base-path = a path has letters, digits, slashes and the characters . _ ~ - only.

usage-workspace-or-server = give either --workspace or --server.

usage-restore = name the new folder, or that of a server by --server.

usage-reset-password = name the administrator by --admin.

usage-first-admin = there is no administrator yet; name the first one.

usage-two-groups = give either --group (a column of the table) or --group-pattern (for paths), not both.

usage-bare-setting = '{ $source }' is not a folder or table. To change a setting of the recipe, use --set { $setting }.

usage-set-instead = There is no option { $option }. To change a setting of the recipe, use --set { $setting }.

usage-clean-options = --kind and --older-than need --clean.

usage-cache-kind = the cache contains nothing of the kind '{ $store }'{ $has_kinds ->
        [true] ; choose one of: { $kinds }.
       *[false] .
    }

usage-one-decision-rule = give one of --sensitivity, --specificity, --threshold, --roc and --default.

usage-threshold = --threshold is a probability between 0 and 1.

usage-share = { $option } is a share between 0 and 1{ $is_percent ->
        [true] ; did you mean { $share }?
       *[false] .
    }

usage-run-with-model = a run has its own network and image size, so --run excludes --model and --image-size.

usage-external-test-set = --group, --group-pattern, --columns, --crop-size, --rescale and --name need DATA, an external test set.

usage-images-after-runs = name the images after the runs.

usage-export-format = there is no format '{ $format }'. The formats are { $formats }.

usage-filter-with-name = options that filter the list cannot be combined with the NAME of a network.

usage-bench-option = --image-size needs --bench, which does not measure --classes, --channels and --option.

usage-options-without-name = --classes, --channels, --option, --image-size and --bench need the NAME of a network.

usage-model-option = write --option as key=value, not '{ $option }'.

usage-repeated-share = the share of '{ $label }' is given twice.

usage-share-of-class = '{ $value }' is not CLASS=SHARE, such as infected=0.05.

usage-inspect-files = --group, --group-pattern, --columns, --crop-size, --set and --estimate-leakage need a dataset: a folder or a table.

usage-watch = --watch replaces PATH, and cannot be combined with --columns, --crop-size, --resume and --on.

export-verified-by-drawn-images = The images of the run are not available. The export was verified with { $n_images } drawn images instead.

usage-excel = --excel needs a CSV table: give its name with --out, without --watch and without another --format.

usage-adapt-part = '{ $name }' is not a part of the matching; parts are { $names }.

usage-no-images = give images, folders, patterns or a table, or --watch FOLDER.

usage-options-of-preset = DATA, --group, --group-pattern, --arms, --all-tables and --small are for presets. A plan states its datasets and their groups itself.

usage-preset-name = name the preset whose plan the options are for.

usage-plan-file = give the file for the plan with --out.

usage-train = give DATA to train a new run, --resume RUN to resume a run, or --finish RUN.

usage-resume-options = --resume uses the settings of the run. The only other option is --budget.

usage-finish-options = --finish uses the settings of the run and has no other options.

# Answers

command-fewest-images = The { $n_shown } of { $n_classes } classes with the fewest images are shown; --all-classes shows all.

command-dataset = { $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    }{ $n_unreadable ->
        [0] {""}
       *[other] {" "}({ $n_unreadable } unreadable)
    }, { $n_classes ->
        [one] { $n_classes } class
       *[other] { $n_classes } classes
    }; { $groups }

command-no-groups = no groups known

command-groups = { $n_groups ->
        [one] { $n_groups } group of { $n_most ->
            [one] { $n_most } image
           *[other] { $n_most } images
        }
       *[other] { $is_same ->
            [true] { $n_groups } groups of { $n_most ->
                [one] { $n_most } image each
               *[other] { $n_most } images each
            }
           *[false] { $n_groups } groups of { $n_fewest } to { $n_most } images
        }
    }{ $n_ungrouped ->
        [0] { "" }
        [one] ; { $n_ungrouped } image without a group
       *[other] ; { $n_ungrouped } images without a group
    }

command-reading-note = { $n_images ->
        [one] { $n_images } image: { $note }
       *[other] { $n_images } images: { $note }
    }

command-nothing-to-fix = No problems were found.

command-no-leakage-estimate = Not possible: too few groups or duplicates are known among the images.

command-more-lines = ... and { $n } more; --json lists them all

command-other-decisions = { $n ->
        [one] { $n } other
       *[other] { $n } others
    }

command-unreadable-images = Warning: { $n_unreadable } of { $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    } cannot be read; { $n_unreadable ->
        [one] its decision is 'unreadable'.
       *[other] their decision is 'unreadable'.
    }

command-no-proportions = Class proportions are not estimated: { $reason }.

command-after-summarise = Next: label some images of each condition (coverslip spot-check). --report FILE writes figures, methods and all classes, --out FILE a table.

command-proportions = Class proportions of these images, as `summarise` shows them for one sample. If the images are of several samples, such as patients, summarise them by sample.

command-no-network = No network meets all conditions.

command-weights-folder = Imported weights are in { $folder }

command-cache-folder = Folder  { $folder }

command-cache-size = Size    { $size }

command-cache-limit = Limit   { $size }; the least recently used entries are removed first

command-backup-written = Backup     { $file } ({ $size }, { $n_files ->
        [one] { $n_files } file
       *[other] { $n_files } files
    })

command-backup-of-server = Backup     { $folder } ({ $n_projects ->
        [one] { $n_projects } project
       *[other] { $n_projects } projects
    }, { $n_users ->
        [one] { $n_users } account
       *[other] { $n_users } accounts
    })

command-backup-images-outside = { $n_images ->
        [one] { $n_images } image is outside the workspace and not in the backup. Back up its folder separately.
       *[other] { $n_images } images are outside the workspace and not in the backup. Back up their folders separately.
    }

command-backup-links = { $n_links ->
        [one] { $n_links } link in the workspace is not in the backup.
       *[other] { $n_links } links in the workspace are not in the backup.
    } Move the files there instead of linking them.

command-restored = Workspace  { $folder } ({ $n_files ->
        [one] { $n_files } file
       *[other] { $n_files } files
    })

command-restored-server = Server     { $folder } ({ $n_projects ->
        [one] { $n_projects } project
       *[other] { $n_projects } projects
    }, { $n_users ->
        [one] { $n_users } account
       *[other] { $n_users } accounts
    })

command-restored-images-outside = { $n_images ->
        [one] { $n_images } image is outside the workspace. It is available if it is at the same location on this computer.
       *[other] { $n_images } images are outside the workspace. They are available if they are at the same location on this computer.
    }

command-restored-interrupted = { $n_jobs ->
        [one] { $n_jobs } job was running
       *[other] { $n_jobs } jobs were running
    } when the backup was made. Resume in the app.

command-cache-empty = The cache is empty.

command-cache-freed = Freed   { $size } ({ $n_removed } removed)

command-cache-in-use = In use  { $size } (not removed)

command-distances = Distances between { $n_features } features of { $network }

command-dataset-counts = { $name }: { $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    }{ $n_groups ->
        [0] {""}
        [one] , { $n_groups } group
       *[other] , { $n_groups } groups
    }

command-negative-mmd = The estimate of MMD² is unbiased: a negative value means that no distance above 0 is shown.

command-none-uncertain = No prediction is labeled uncertain.

command-no-thresholds = A target sensitivity or specificity needs two classes with validation images. For any number of classes, --error-rate 0.05 labels predictions as uncertain so that at most 5% of the others are wrong, --roc gives each class its own threshold, and --default predicts the most probable class.

command-threshold = An image is predicted as “{ $label }” if its probability is at least { $threshold }.

command-thresholds = On { $image_set } ({ $n_positive } of this class, { $n_negative } others), thresholds give:

command-threshold-bounds = In parentheses: the value that further images like these reach, with 90% confidence.

command-thresholds-shown = { $n_shown } of { $n_thresholds } thresholds are shown; --json lists all of them.

command-map-checks = { $run }: heat maps checked on { $checked_on ->
        [validation] validation images
        [training] training images
       *[explained] these images
    }

command-too-few-images-for-checks = There are too few images to check heat maps.

command-maps-withheld = { $n_maps ->
        [one] { $n_maps } heat map is not shown:
       *[other] { $n_maps } heat maps are not shown:
    } no method passed both sanity checks. --show-failed draws them with a stamp.

command-check-labels = Look at each image before you change its label: not every suspected error is an error.

command-plan = Plan      { $path }: { $n_trainings ->
        [one] { $n_trainings } training
       *[other] { $n_trainings } trainings
    }

command-deviation = Difference from the publication: { $note }

command-study-time = { $n_trainings ->
        [one] { $n_trainings } training
       *[other] { $n_trainings } trainings
    }, one after the other about { $time }{ $n_unknown ->
        [0] {""}
       *[other] , { $n_unknown } of unknown length
    }

command-failed-trainings = Failed    { $n_trainings ->
        [one] { $n_trainings } training; `coverslip study resume` retries it
       *[other] { $n_trainings } trainings; `coverslip study resume` retries them
    }

command-finish-requested = Fine-tuning ends after this step. Test images and the report follow in the process that runs it.

command-disk-full = The output could not be written: { $reason }. Free some space and run the command again.

command-fault-report = { $what }. This is an error in coverslip. Run the command again with --debug and report what it prints.

command-demo-replaced = Note: the earlier demo in { $folder } is replaced.

command-demo-synthetic = The sample images are SYNTHETIC: drawn by coverslip, not photographed.

command-app-port = Port { $wanted } is in use by another program, so the app uses port { $port }.

command-app-new-token = The token in the address is shown only once. Anyone who has it can use the app.

command-app-token = The app requires the token that was shown at an earlier start. --new-token creates another one.

command-app-end = To end the app, press Ctrl-C.

command-server-folder = Folder

command-server-invitation = Administrator

command-server-end = To end the server, press Ctrl-C.

command-server-project = The project '{ $name }' is not served: { $reason }

command-server-ended = The server has ended. Running trainings continue.

command-app-ended = The app has ended. Running trainings continue; coverslip app shows them again.

# Progress

progress-after-ctrl-c = Press Ctrl-C again to end immediately.

progress-started = { $step ->
        [pretraining] Step 1 of 2, pretraining:{" "}
        [training] Step 2 of 2, your images:{" "}
       *[only] {""}
    }{ $n_train ->
        [one] { $n_train } training image
       *[other] { $n_train } training images
    }, { $n_val ->
        [one] { $n_val } validation image
       *[other] { $n_val } validation images
    }, { $n_test ->
        [one] { $n_test } test image
       *[other] { $n_test } test images
    }; { $n_classes ->
        [one] { $n_classes } class
       *[other] { $n_classes } classes
    }

progress-fold = Fold { $fold } of { $n_folds }

progress-fold-tested = Fold { $fold } of { $n_folds } tested: accuracy { $accuracy }, macro-F1 { $f1 }

progress-instant = Stage 1: a linear classifier on features of the pretrained network

progress-finetuning = Stage 2: fine-tuning the network, { $n_epochs ->
        [one] { $n_epochs } epoch
       *[other] { $n_epochs } epochs
    }

progress-instant-ready = The instant classifier is ready after { $time }

progress-instant-scored = The instant classifier is ready after { $time }: validation accuracy { $accuracy }, macro-F1 { $f1 }

progress-selected = Selected: epoch { $epoch }, { $selection ->
        [last] the last.
       *[best] the best epoch.
    }

progress-left = about { $time } left in all{ $is_open ->
        [true] , or longer while validation results improve
       *[false] {""}
    }

progress-note = Note: { $note }

progress-warning = Warning: { $note }

progress-working = working

progress-epoch = epoch { $epoch } of { $n_epochs }

progress-loss = loss { $loss }

progress-images-per-second = { $n } images/s

progress-per-second = { $n } { $unit }/s

progress-time-left = { $time } left

progress-step = step { $step } of 2

progress-current-fold = fold { $fold } of { $n_folds }

progress-all-folds = all folds

progress-whole-training = whole training

progress-line-of-step = epoch { $epoch } of { $n_epochs }, step { $step } of { $n_steps }: loss { $loss }, { $speed }

progress-done-of = { $stage }: { $n_done } of { $n_total } { $unit }

progress-done = { $stage }: { $n_total } { $unit } done

# At most 80 columns, the width of a narrow terminal. The rows below have their values in these columns.
progress-epoch-header =
    {"   "}learning loss         accuracy     precision    recall       F1
    epoch  rate train val    train val    train val    train val    train val    time

# Lines of results

command-error = Error: { $line }

command-interrupted = Interrupted.

command-see-help = See `{ $command } --help`.

command-result-report = Report    { $file }

command-result-details = Details   { $folder }

command-adapted = Images    { $is_known ->
        [true] Unfamiliar: { $n_unfamiliar } of { $n_images } new images
       *[false] Whether the { $n_images } new images are unfamiliar is not known
    }. { $selected ->
        [as-is] The classifier as it is was best.
       *[other] { $is_matched ->
            [true] Matched: training images enlarged by { NUMBER($zoom_home, maximumFractionDigits: 2) }, new ones by { NUMBER($zoom_new, maximumFractionDigits: 2) }{ $has_fixed_stain ->
                [true] ; same stain
               *[false] {""}
            }{ $is_inverted ->
                [true] ; new images inverted
               *[false] {""}
            }
           *[false] Images are not matched
        }. { $selected ->
            [matched] The last layer was fitted to the matched training images.
            [pooled] The last layer was fitted to training images and labels together.
           *[averaged] The last layer is the mean of one that was fitted to training images and labels together, and one of features that were standardized in each laboratory.
        }
    }

command-adapted-labels = { $n_labels ->
        [0] Not checked: no label of a new image was used, so the accuracy there is not known, and every decision is “uncertain” or “unfamiliar”. Label 20 of them, of two or more classes (coverslip suggest NEW).
       *[other] Labels    Of { $n_labels } labels, { $n_right_before } were predicted right before, { $n_right } after: accuracy { $accuracy }.
    }

command-adapted-home = Training  Accuracy on its test images: { $home_before } before, { $home_after } after.

command-result-next = Predict   coverslip predict { $run } NEW_IMAGES --out predictions.csv

command-result-predictions = Predictions  { $file }

command-result-classifier = Classifier  { $file } ({ $size })

command-reserved-test = { $n_images ->
        [one] { $n_images } image is reserved for the test set and not suggested; labeled: { $n_labeled }
       *[other] { $n_images } images are reserved for the test set and not suggested; labeled: { $n_labeled }
    }

command-result-table = Table  { $file }

command-result-export = { $n_files ->
        [one] Export  { $path }
       *[other] Export  { $path } ({ $n_files } files)
    }

command-objects = { $n_objects ->
        [one] 1 object
       *[other] { $n_objects } objects
    } in { $n_fields ->
        [one] 1 field
       *[other] { $n_fields } fields
    }, { $fewest } to { $most } in a field; { $n_at_edge } touch the edge of their field.

command-object-sizes = Longer side of the box: { $smallest } to { $largest } px, median { $median } px.

command-object-areas = Area: { $smallest } to { $largest } µm², median { $median } µm².

command-object-classes = Classes: { $classes }.

command-objects-table = Table { $file }: { $n_rows ->
        [one] 1 row
       *[other] { $n_rows } rows
    }, read as { $kind }. Choose other columns with --columns MEANING=COLUMN.

command-objects-column-meaning = meaning

command-objects-column-name = column

command-objects-column-unit = unit

command-objects-column-first = first values

command-objects-unused-columns = Other columns: { $columns }.

command-objects-column-field = field

command-objects-column-group = group

command-result-pictures = Pictures  { $folder }

command-demo-mislabeled =
    { $rank ->
        [0] The demo put { $image } into the wrong folder: it is drawn as “{ $drawn }”. It is not among the suspected label errors.
       *[other] The demo put { $image } into the wrong folder: it is drawn as “{ $drawn }”. It is number { $rank } of the suspected label errors.
    }

command-demo-drawn = Proportions that were drawn, to compare with the corrected ones above:

command-demo-results =
    The sample images are synthetic: the metrics show that everything works, not how well it works on real cells.

    Open       { $folder }/run/report.html   the report of the classifier
               { $folder }/proportions.html   the class proportions of the new slides

    Next       Put your images into one folder for each class, then run the same commands on them:
               coverslip inspect MY_IMAGES
               coverslip train MY_IMAGES --out runs/first
               coverslip predict runs/first NEW_IMAGES --out predictions.csv
               If several images come from one slide or patient, give the part of the file names that identifies it:
               coverslip train MY_IMAGES --group-pattern 'slide\d+' --out runs/first

command-app-address = Address

command-app-workspace = Workspace

command-app-may-read = May read

# Titles, and cells of tables

command-threshold-in-use = { $threshold } (in use)

command-latency = { $processor }, { $n_threads ->
        [one] { $n_threads } thread
       *[other] { $n_threads } threads
    }: seconds, median (shortest–longest)

command-latency-column = { $part ->
        [network] network
       *[total] total
    }, { $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    }

command-latency-ratio = { $n_images } images / 1 image

command-notes = Notes

command-what-to-do = What to do

command-leakage-estimate = Leakage estimate: image-level split against grouped split

command-read = { $file }: { $width } x { $height } pixels, { $n_channels ->
        [one] { $n_channels } channel
       *[other] { $n_channels } channels
    }, { $dtype }{ $um ->
        [0] {""}
       *[other] , { NUMBER($um, maximumSignificantDigits: 4) } µm per pixel
    }

command-series = Series { $index }{ $has_name ->
        [true] {" "}{ $name }
       *[false] {""}
    }: { $width } x { $height } pixels, { $dtype }{ $um ->
        [0] {""}
       *[other] , { NUMBER($um, maximumSignificantDigits: 4) } µm per pixel
    }

command-series-times = { $n ->
        [one] { $n } time point
       *[other] { $n } time points
    }

command-series-planes = { $n ->
        [one] { $n } z-plane
       *[other] { $n } z-planes
    }

command-series-channels = { $n ->
        [one] { $n } channel
       *[other] { $n } channels
    }{ $has_names ->
        [true] : { $names }
       *[false] {""}
    }

command-series-levels = { $n } levels: { $sizes } pixels

command-use-network = Use one with: coverslip train DATA --model NAME

command-weights-available = available

command-weights-to-download = to download

command-weights-to-import = to import: { $file }

command-weights-source = { $kind }: { $source }{ $is_partial ->
        [true] , tensors of equal shape
       *[false] {""}
    }

command-weights-used-by = Used by: coverslip train DATA --model { $model }

command-weights-removed = Removed   imported weights of { $model }

command-license-not-stated = not stated

command-normalization = mean { $mean }, sd { $sd }

command-store-damaged = damaged

command-store-in-use = in use

command-pretraining = pretraining for { $regime }

command-name-in-table = '{ $name }' ({ $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    }): { $table }, column '{ $column }', rows { $lines }

command-name-in-folders = '{ $name }' ({ $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    }): { $folders }

command-limits = What limits it

command-in-report = In the report: { $titles }.
