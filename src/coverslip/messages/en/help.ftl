# Help of options and arguments. The help of a command is the docstring of its function.

# The program, and options that several commands share

help-program = Train, test and use classifiers of microscope images on this computer.

help-first-steps = New here? Try `coverslip demo`. Every command explains itself: `coverslip train --help`.

help-commands-start = Start

help-commands-label = Look and label

help-commands-train = Train

help-commands-trust = Trust

help-commands-predict = Predict

help-commands-share = Share

help-commands-run = Run and maintain

help-version = Show the version.

help-debug = On an error, show the traceback.

help-data = A folder with one sub-folder per class, or a table (CSV, TSV) with the columns path and label.

help-group = Column of the table with the group of each image (patient, slide, well). All images of a group stay in the same set.

help-group-pattern = For folders: a regular expression that finds the group in an image's path, for example 'slide\d+' or '(patient_[0-9]+)_'.

help-columns = Names of a table's columns if they differ from the standard names, such as path=File,label=Class. Standard names: path, label, group, split, image_id, x, y, width, height. `split=` ignores a column.

help-crop-size = Side of the square crop around each point (x, y) or box of a table, in pixels (80) or in µm (32um). In µm, whole images are cropped around their center, too.

help-channels = Channels of these files by their numbers, from 0, or by their names in the file, in the order of the channels of the training: DAPI,GFP. Default: those of the training.

help-rescale = Rescale images of known pixel size to the pixel size of the training images. If the training images have about the same width and height, rescaled images are cut or padded to these, about their center.

help-device = Where the network runs. auto: a GPU if there is one, otherwise the processor.

help-all-classes = Show every class. By default, only the most important of many classes are shown.

help-json = Print one JSON object instead of text.

help-trained-run = The run folder of a training.

help-run = A run folder.

help-trust-cluster = Join a Ray cluster that requires no token. Anyone who controls one of its computers can then run any code on this computer, with your permissions.

# coverslip app

help-app-host = Address to listen on. With 0.0.0.0, other computers can reach the app, and it requires a token.

help-app-port = Port. If it is in use, the next free port.

help-app-workspace = Folder for labels, runs and predictions. Default: COVERSLIP_HOME, or the folder coverslip in your home folder.

help-app-root = Folder from which the app may open images. Repeatable. Default: your home folder.

help-server-folder = Folder for accounts and projects. It is created if needed.

help-server-admin = Name of an administrator. The account is created if needed; a new one gets an address to set a password.

help-server-reset-password = Print an address at which --admin sets a new password.

help-server-port = Port. If it is in use, the server does not start.

help-server-root = Folder that projects may read images from, or from its subfolders. Repeatable. Default: projects read uploaded images only.

help-server-host = Address to listen on. With 0.0.0.0, other computers can reach the server, without encryption.

help-server-name = Host name under which browsers reach the server, such as lab.example.org. Repeatable. The names of this computer are accepted without it.

help-server-base-path = Path of the server behind a proxy, such as /coverslip.

help-server-proxy = Address or network of a reverse proxy. Its headers with the scheme and address of the client are trusted. Repeatable.

help-server-user-header = Header with the name of the user whom the proxy has signed in, such as X-Remote-User. It is trusted only from --proxy.

help-app-no-browser = Print the address without opening a browser.

help-server-backups = Folder in which administrators can back up the server from the browser. Each backup is a new folder in it.

help-server-keep-activity = Delete records of activity after this number of days. Default: they are kept.

help-app-job-memory = Memory that a training or another job may take, with its child processes, such as 8GB. A job that takes more is ended; the next one starts. Default: no limit.

help-app-new-token = Create a new token, which replaces earlier ones. The app then requires it on this computer too, because other users may log in there.

help-slurm = Run trainings, studies, predictions and evaluations as jobs of Slurm, submitted by sbatch with these options, such as "--gres=gpu:1"; "" for none. All computers need the same paths to the images, to the workspace or FOLDER, and to coverslip.

# coverslip backup, coverslip restore

help-backup-file = New file of the backup, outside the workspace; with --server, a new folder.

help-backup-server = Folder of a server with accounts: back up its accounts and all projects.

help-restore-file = File of a backup; with --server, the folder of a backup.

help-restore-server = New or empty folder for a restored server with accounts.

help-restore-workspace = New or empty folder for the restored workspace.

# coverslip cache

help-cache-clean = Remove everything that no running command uses, and show how much space was freed.

help-cache-kind = With --clean: remove only this kind (see the table).

help-cache-older-than = With --clean: remove only entries not used for this many days.

# coverslip compare

help-compare-runs = Run folders. The first is the reference.

# coverslip decide

help-decide-sensitivity = Target sensitivity of the positive class (two classes).

help-decide-specificity = Target specificity (two classes).

help-decide-threshold = Predict the positive class from this probability on.

help-decide-roc = Choose each class's threshold on its ROC curve (Youden index).

help-decide-error-rate = Target error rate of the decided images. As few images as necessary are marked uncertain.

help-decide-positive = The positive class.

help-decide-default = Predict the most probable class, without thresholds.

# coverslip demo

help-demo-out = Folder for images, run and predictions.

# coverslip distance

help-distance-data = Folders or tables of images. Labels are not needed: any folder of images, such as photographs, can serve as a reference.

help-distance-run = Use the features of this run's classifier. Default: those of a network trained on photographs (ImageNet).

help-distance-model = The network, if no run is given.

help-distance-image-size = Image size of that network.

# coverslip evaluate

help-evaluate-data = An external test set: labeled images (folder or table). Default: the run's own test set.

help-evaluate-name = Name of this evaluation, which is saved in RUN/evaluations/NAME. Default: the name of DATA, or of its folder if DATA is a table such as images.csv.

# coverslip adapt

help-adapt-new = Images of the other laboratory, at least 40: folders, files or tables.

help-adapt-labels = A table of some of these images with a column `label`, at least 10 of two classes, or they are not used; 20 or more show the accuracy. The labels none-of-these and unusable exclude an image; if labels are used, so do all that are no class.

help-adapt-out = The new run folder.

help-adapt-without = Leave out a part of the matching: zoom, stain or invert. Can be repeated.

# coverslip explain

help-explain-paths = First classifiers: run folders, classifier/ folders or .coverslip files. Then images: files, folders, patterns like 'new/*.tif', or a table. Each picture has a row for each classifier.

help-explain-out = New folder for the pictures and their table.

help-explain-method = Use only this method. Default: the first of them that passes its checks.

help-explain-show-failed = Also draw maps that failed the checks, marked as failed.

help-explain-nearest = Training images to show beside each image.

help-explain-colors = Colormap of the heat maps. jet is common in papers, but suggests edges where there are none.

help-explain-device = Where the network runs. auto: an NVIDIA GPU if there is one, otherwise the processor.

# coverslip export

help-export-run = A run folder, or the classifier/ folder of one.

help-export-author = Author of the classifier; repeat for each. For bioimageio.

help-export-citation = What to cite: a text with a DOI or an address. For bioimageio.

help-export-license = License of the classifier as an SPDX identifier, such as CC-BY-4.0. For bioimageio.

help-export-to = zip: one .coverslip file, which `predict` takes in place of RUN. For other programs: onnx or bioimageio (BioImage Model Zoo), each a folder.

help-export-out = File or folder to write. Default: the name of the run, ending in .coverslip or the format.

# coverslip inspect

help-inspect-set = Read the images with this setting of a recipe, such as images.channels or classes.drop. Repeatable.

help-inspect-estimate-leakage = Also compute features of about 2,000 images, to detect shortcuts and to estimate how much an image-level split would overestimate performance.

# coverslip label-errors

help-label-errors-out = Also write all of them to this table (CSV), which replaces an earlier one.

# coverslip models

help-models-name = Describe this network; timm/NAME is any network of timm.

help-models-paper = List only networks of this paper: mobilevit_mn, aimic, mobincep, efficientnetv2_b0 or chromosomes.

help-models-available = List only networks whose pretrained weights are on this computer.

help-models-classes = With NAME: number of classes of the last layer.

help-models-channels = With NAME: number of channels of the images.

help-models-option = With NAME: an option of the network, as under model_options in a recipe. Repeatable.

help-models-image-size = With --bench: image size. Default: that of the network.

help-models-bench = With NAME: measure the prediction time for 1 and 100 images on this computer.

# coverslip objects

help-objects-fields = Fields of view: files, folders, patterns such as 'fields/*.tif', or tables with a column path.

help-objects-out = The table of objects to write.

help-objects-masks = Label images (TIFF, PNG, NPY, OME-Zarr), or their folder. Each has the name of its field, with or without an ending such as _masks. Repeatable.

help-objects-outlines = Polygons or boxes of another program, or their folder: GeoJSON of QuPath, ImageJ ROIs, COCO, LabelMe, YOLO, outlines of Cellpose, tables of CellProfiler, ilastik, scikit-image and others.

help-objects-points = Positions, or their folder: TrackMate, other tables, any file for --outlines, or text files with x, y and a class on each line. Only the centers of objects are used.

help-objects-finder = Find the objects in the pixels of the fields: classical (threshold, and division at necks), or a finder of another package.

help-objects-finder-set = A setting of the finder: diameter, unit (px, um), objects (bright, dark), threshold (log, otsu, local), smoothing, split, channel, smallest and largest (diameter), at_edge. By default, they are estimated from each field. Repeatable.

help-objects-size = Side in pixels of the square around each point.

help-objects-size-um = Side in µm of the square around each point.

help-objects-columns = Columns of a table that are not recognized, such as x=Pos_X,path=Slide. Names: path, series, object_id, label, t, x, y, x_min, y_min, x_max, y_max, width, height, radius.

help-objects-unit = The unit of positions in tables and of points: px or um. Default: as the names of the columns state it, otherwise px.

help-objects-pixel-size = Side of a pixel of the fields in µm. It replaces the pixel size that files declare.

help-objects-group = The column with the group of each field (slide, well, patient), if FIELDS is a table.

help-objects-group-pattern = A regular expression that finds the group (slide, well, patient) in the path of a field. Other named parts, such as (?P<well>[A-H]\d+), become columns of the table of objects. Default: each field is a group.

help-export-objects-predictions = The table of predictions that `coverslip predict` wrote for the objects.

help-export-objects-objects = The table of objects.

help-export-objects-to = geojson: QuPath, napari. label-tiff: label images, and images of class numbers. rois: ImageJ. coco: a COCO file. labelme: LabelMe. cellprofiler: a table to join with CellProfiler's tables. ome-tiff: a crop of each object.

help-export-objects-out = A file for coco and cellprofiler, or if there is a single field. Otherwise a folder, which gets a file for each field.

help-export-objects-margin = Margin of crops on each side of the box: a share of its longer side (0.2), or a length (2um).

help-export-objects-t = Time point of crops of films, from 0, if the table of objects states none. Use images.t of the training.

help-export-objects-z = Z-plane of crops, if the table of objects states none: its number from 0, max, mean, best-focus or channels. Use images.z of the training.

help-export-objects-mask-neighbors = Give pixels of other objects in a crop the median of its background.

help-objects-measure = Add columns with area, perimeter and solidity of each object, and the mean and sum of its pixels in each channel.

help-objects-dry-run = Show what is recognized (format, columns, unit, names, groups, first rows) without writing the table.

# coverslip predict

help-predict-run = A run folder, the classifier/ folder of one, or a .coverslip file.

help-predict-images = Images, folders of images, patterns like 'new/*.tif', or a table. Not with --watch.

help-predict-out = Table to write. It replaces an earlier table of predictions, but no other file.  [default: predictions.csv, or the suffix of the format]

help-predict-format = Format of the table. jsonl: one JSON object per line. parquet needs the extra 'parquet'.

help-predict-top-k = Write the K most probable classes with their probabilities instead of the probability of each class.

help-excel = Mark written CSV tables as UTF-8 (byte order mark), so that Excel for Windows shows accents and umlauts. Scripts may need the encoding utf-8-sig.

help-predict-resume = Continue an interrupted prediction after its last complete row. Images and options must be the same. If the table has no row, start with the first image.

help-predict-watch = Predict the images in this folder and its subfolders, and each image that appears there later, until you press Ctrl-C. If the table exists, rows are added to it.

help-predict-batch-size = Images per batch. Affects speed and memory, not the results.

help-predict-prevalence = Expected proportion of a class among these images, such as infected=0.05. Repeatable. The remaining classes share the rest in the proportions of the training images.

help-predict-on = Where to predict. local: on this computer. ray: on the Ray cluster in RAY_ADDRESS, or else on a new one of this computer. ADDRESS: on the Ray cluster at ray://HOST:PORT or HOST:PORT. The computers of a cluster read the images themselves.

# coverslip preview

help-preview-out = PNG file to write.

help-preview-recipe = A YAML file with settings, or the recipe of a publication, as for train.

help-preview-set = Change one setting of the recipe, as for train. Repeatable. augment=NAME selects a set of augmentations, resize=canvas the same scale for all images.

help-preview-n = Images to show.

help-preview-seed = Seed that selects images and augmentations. Default: the recipe's seed.

# coverslip read

help-read-file = An image file, or a folder that is an OME-Zarr.

help-read-out = TIFF file to write.

help-read-series = Series of the file, from 0.

help-read-t = Time point, from 0.

help-read-z = Number of the z-plane, from 0, or how to combine all z-planes.

help-read-channels = Channels by their numbers, from 0, or by their names in the file. Default: all.

help-read-level = Level of a pyramid; 0 is the full resolution.

help-read-region = Part of the image in pixels of level 0. Default: the whole image.

# coverslip study

help-study = Compare networks and initializations on the same splits.

help-study-folder = Folder of the study.

help-study-budget = Time limit: 10m, 2h. Trainings that would not end in time are left for `study resume`.

help-study-on = Where to train. local: on this computer. slurm: each training as a job of Slurm, with the options in the SBATCH_ variables. ray: on the Ray cluster in RAY_ADDRESS, or else on a new one of this computer. ADDRESS: on the Ray cluster at ray://HOST:PORT or HOST:PORT.

help-study-group = With a preset: column of the groups (patient, slide, well). Give it once for all datasets, or once for each.

help-study-group-pattern = For folders: a regular expression that finds the group in an image's path.

help-study-small = With a preset: a quick demonstration, with networks whose weights are installed, small images and two epochs.

help-study-arms = With a preset: recipes and protocols to compare, separated by commas. A: those of the publication. B: its recipe without the shortcuts of its protocol. C: coverslip's recipe. shortcuts: B with one shortcut each. Default: A,B,C.

help-study-all-tables = With a preset: train everything that the tables of the publication need. Default: its own network and its baseline.

help-study-run-plan = YAML file with datasets and models, or a preset (see `coverslip study preset`).

help-study-run-data = With a preset: folders or tables, one for each dataset.

help-study-run-out = New folder for the study.

help-study-run-dry-run = List the trainings with the expected time of each, without training.

help-study-preset-name = Name of the preset. Default: list the presets.

help-study-preset-data = Folders or tables, one for each dataset.

help-study-preset-out = File for the plan.

help-study-compare-bench = Measure the prediction time of each network for 1 and 100 images on this computer.

help-study-compare-distances = Measure the distance of each dataset to its pretraining dataset, by the features of each network.

help-study-compare-explain = Draw heat maps of three test images for each network and initialization. Their checks take a minute or more per training.

# coverslip spot-check

help-spot-check-n = Images of each condition to draw.

help-spot-check-by = Column with the sample of each image, such as patient or well; `folder`: the folder of the image. Images are divided among samples evenly. Default: all images of a condition are one sample.

help-spot-check-condition = Column with the condition of each sample, such as dose. Each condition is checked on its own.

help-spot-check-run = Run folder of the classifier, to compare the accuracy with that on its test images.

help-spot-check-half-width = Show how many labels an interval of ± this share needs (0.05: 5 percentage points).

help-spot-check-seed = Number that determines the random selection.

help-spot-check-out = Write a table (CSV) of the images to label, without predictions.

help-spot-check-labels = The table with your labels in its column label. Rows without a label are ignored; none-of-these and unusable exclude an image.

# coverslip agreement

help-agreement-tables = Tables (CSV) with the columns image_id or path, label and author. Without the column author, each table has the labels of one reader.

help-agreement-group = Column with the group of each image, such as patient or slide. Images of a group are not independent, so the intervals become longer.

# coverslip suggest

help-suggest-data = Folders, tables or images, of which some or none are labeled. In folders, images outside class folders have no label; in tables, those with an empty label.

help-suggest-run = Use the features and probabilities of this run's classifier. Default: features of a network trained on photographs (ImageNet), and a classifier of these features for the labels of DATA.

help-suggest-n = Number of images.

help-suggest-out = Also write the suggestions to this table (CSV), which replaces an earlier one.

# coverslip summarise

help-summarise-predictions = Tables that `coverslip predict` wrote, without --prevalence.

help-summarise-by = Column with the sample of each image, such as patient or well; `folder`: the folder of the image.

help-summarise-condition = Column with the condition of each sample, such as dose. Conditions are compared.

help-summarise-block = Column with the experiment day, batch or patient of each sample. Conditions are compared within these (paired t test). If it is also --by, each condition of a patient is a sample.

help-summarise-control = Condition that others are compared with. Default: each pair of conditions is compared.

help-summarise-table = CSV table with these columns and image_id or path, or with a row for each sample. Default: the tables of predictions have them, because `coverslip predict` copies the columns of its input table.

help-summarise-out = Also write a CSV table with a row for each class in each sample.

help-summarise-report = Also write the proportions as one HTML file with figures, tables and a text for the methods section.

help-summarise-prism = Also write a CSV table for GraphPad Prism: a column for each class and condition, a row for each sample, or for each block.

help-summarise-run = Run folder of the classifier. Its errors on the test images correct the proportions.

# coverslip train

help-train-recipe = A YAML file with settings, such as the recipe.yaml of an earlier run. Or a name that `coverslip study preset` lists, to use the recipe of its publication. Default: built-in settings.

help-train-model = Network to use; `coverslip models` lists them.

help-train-set = Change one setting of the recipe. Repeatable. epochs=30 trains longer; split.folds=5 uses cross-validation. --keys lists all settings.

help-train-preset = first-look: instant classifier of images of half the side. good: instant classifier. best (default): with fine-tuning; the instant classifier is the first result.

help-train-budget = Time limit: 90s, 10m, 1h30m. coverslip fine-tunes for as many steps as fit into the time, or keeps the instant classifier.

help-train-allow-leakage = Train even if your predefined split has the same images or patients in two sets, or if test images affect the training by a setting. Performance is then overestimated, and the report says so.

help-train-out = New folder for the results. Default: runs/DATA-1, then runs/DATA-2 and so on.

help-train-resume = Resume a run that was stopped or killed, with its own images and recipe. With --budget, the time starts now.

help-train-finish = End the fine-tuning of a run now and keep its best epoch; then calibrate, test and write the report. The run can be in progress in another process, or stopped. It cannot be resumed afterwards.

help-train-listener = Pass recipe and metrics to another program during the training: tensorboard or mlflow. Repeatable.

help-train-keys = List the settings for --set.

# coverslip weights

help-weights-import-file = Weights as .safetensors, a PyTorch file (.pth, .pt, .bin) of plain tensors, or Keras's .h5 of NASNet-Mobile or EfficientNetV2-B0.

help-weights-import-model = The network: a name from `coverslip models`, or timm/NAME for any network of timm.

help-weights-import-license = License of the weights, as stated by their authors. It is shown wherever the weights are used.

help-weights-fetch-model = A name from `coverslip models`, or timm/NAME.

help-weights-remove-model = The network whose imported weights are removed.
