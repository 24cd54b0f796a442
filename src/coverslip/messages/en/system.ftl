# The installation, devices, files and clusters.

bad-cluster-answer = A response of the cluster was rejected: { $why }
    .do = Install the same version of coverslip on all computers, and use a cluster that you trust.

no-computer-for-task = No computer of the cluster has { $cores ->
        [one] { $cores } core
       *[other] { $cores } cores
    }{ $has_gpus ->
        [true] {" "}and a GPU
       *[false] {""}
    }
    .do = Add a computer to the cluster. For a study, you can also reduce `threads` in the plan.

cluster-failed = The cluster failed: { $reason }
    .do = Resume the study, or repeat the prediction.

extra-not-installed = { $what } needs the extra '{ $extra }', which is not installed
    .do = Run: { $command }

extra-not-included = { $what } needs the extra '{ $extra }', which cannot be added to this installation
    .do = Install coverslip with pip, uv or pipx; for PyTorch also as the package coverslip-train. See "Installation" in the documentation.

extra-for-app = The web app

extra-for-cluster = Work on a Ray cluster

extra-for-keras = Reading a file of Keras weights

extra-for-map = The map of a dataset

extra-for-mlflow = The listener for MLflow

extra-for-pandas = A data frame

extra-for-sklearn = The scikit-learn estimator

extra-for-tensorboard = The listener for TensorBoard

extra-for-train = Work with PyTorch (fine-tuning, networks other than the default one, heat maps; not the presets 'first-look' and 'good')

# Devices

device-unavailable = PyTorch cannot use '{ $device }' on this computer, which has { $devices }
    .do = Choose another device, or use another computer.

device-refused = The network does not run correctly on '{ $device }'. The processor runs it instead, which is slower.

device-out-of-memory = The memory of '{ $device }' is not sufficient for the network. The processor runs it instead, which is slower.

# coverslip doctor

doctor-installation = Installation

doctor-computer = This computer

doctor-folders = Folders, with the free space

doctor-error = Error: { $what }. { $do }

doctor-warning = Warning: { $what }. { $do }

doctor-no-findings = Nothing needs attention. To test everything from images to a report, run `coverslip demo`.

doctor-networks = No network can be built: { $reason }
    .do = Packages may not fit together. Install coverslip in a new environment.

doctor-gpu-without-cuda = This computer has a GPU ({ $gpus }), but PyTorch is installed for processors only
    .do = Trainings on the GPU are much faster. Install PyTorch for it: `uv pip install --reinstall torch torchvision --torch-backend auto`

doctor-gpu-not-usable = PyTorch cannot use the GPU of this computer ({ $gpus })
    .do = Its driver may be too old for this version of PyTorch. Install the newest driver of the GPU.

doctor-torchvision = torchvision { $torchvision } does not fit PyTorch { $torch }, so that `import torchvision` and `import timm` fail except in coverslip
    .do = Notebooks and other programs in this environment need the build that fits: `pip uninstall --yes torchvision`, then `pip install torch=={ $version } torchvision --index-url https://download.pytorch.org/whl/{ $build }`

doctor-little-memory = This computer has { $size } of memory
    .do = Trainings need about 4 GB. Close other programs, choose a smaller network, or use another computer.

doctor-folder = coverslip cannot write to this folder: { $reason }
    .do = Allow your account to write there, or set { $variable } to another folder.

doctor-little-disk = Only { $size } are free on the disk of this folder
    .do = Free some space, or set { $variable } to a folder on another disk.

# Files and archives

file-not-written = The file could not be written: { $reason }
    .do = Free some space, or choose a folder that you may write to. The previous content is intact.

folder-instead-of-table = This is a folder, not a file
    .do = Name the table to write in this folder.

other-file-in-place = There is another file of that name, which coverslip did not write
    .do = Choose another name, or move that file.

file-not-regular = it is not a regular file

file-above-limit = it is larger than the limit of { NUMBER($limit_mib, maximumSignificantDigits: 3) } MiB

file-name-not-accepted = The name '{ $name }' is not accepted: { $fault }
    .do = Give the file a plain name, and send it again.

name-with-empty-part = it is empty or has an empty part

name-leaves-folder = it leads out of its folder

name-with-special-character = it contains a backslash, colon or control character

name-no-text = it is not valid text

name-ends-in-space-or-dot = it ends in a space or dot

name-of-device = it is the name of a device

name-too-long = it is too long

archive-not-accepted = The archive is not accepted: { $why }
    .do = Nothing was unpacked. If the name of an entry is not accepted, rename this file and those with similar names. Then make a new zip file of the folder with the images.

archive-damaged = it could not be read ({ $reason })

archive-no-zip = it is not a zip file, or it is incomplete

archive-too-large = it contains far more than the limit

archive-end-damaged = it is damaged at its end

archive-bomb = it unpacks to far more than its size

archive-entry-not-accepted = its entry '{ $name }' is not accepted: { $fault }

archive-entry-outside = its entry '{ $name }' is outside the archive

archive-entry-twice = it contains '{ $name }' twice

archive-entry-link = it is a link or not a plain file

archive-entry-encrypted = it is encrypted

archive-entry-compression = it is compressed in an unusual way

# The cache

cache-not-usable = The cache folder '{ $folder }' cannot be written to ({ $reason }). Results stay the same, but nothing is stored for the next time. Free some space, empty the cache, or set COVERSLIP_CACHE to a folder that you may write to.

cache-not-read = The cache could not be read: { $reason }
    .do = Empty the cache. coverslip computes its content again when it is needed.

cache-cut = it is incomplete

cache-not-written = The cache could not be written to: { $reason }
    .do = Free some space, or set COVERSLIP_CACHE to a folder that you may write to. The previous content is intact.

cache-limit-no-size = { $variable } is '{ $value }', which is not a size
    .do = Give a number and a unit, such as 5GB or 500MB.

cache-not-cleaned = The cache could not be emptied: { $reason }
    .do = Check whether you may write to its folder.

# Content of the cache, by kind of store (`coverslip cache --json`)

cache-kind-unknown = not known to this version

cache-kind-app-explanations = explanations of single images in the app

cache-kind-app-previews = previews of data augmentation in the app

cache-kind-app-results = results for the pages of the app


cache-kind-app-study-times = expected times of studies in the app

cache-kind-app-thumbnails = thumbnails of a dataset in the app

cache-kind-app-tiles = levels of large images in the app

cache-kind-graphs = graphs of networks for ONNX Runtime

cache-kind-facts = size, depth and hash of every scanned image

cache-kind-features = features of images from frozen networks

cache-kind-file-hashes = hashes of files by their state

cache-kind-leakage-audits = the leakage estimates of datasets, and their shortcuts

cache-kind-near-duplicates = near-duplicate images of a dataset

cache-kind-network-trials = classifiers' networks that were built within limits

cache-kind-pixels = preprocessed pixels of training images

# Ray clusters

slurm-waits = Job { $number } waits in Slurm: { $where }

slurm-runs = Slurm runs job { $number } on { $where }

slurm-ended-job = Slurm ended job { $number }: { $state }
    .do = Resume it to continue. At its time limit (TIMEOUT), request more time first.

no-slurm = This computer has no sbatch, the command that submits jobs to Slurm
    .do = Start the server on a computer from which Slurm jobs can be submitted, or without --slurm.

slurm-options = The options for Slurm cannot be read: { $options } ({ $reason })
    .do = Write them as for sbatch, such as --slurm "--partition=gpu --gres=gpu:1".

cluster-address-invalid = '{ $address }' is not a valid address of a Ray cluster
    .do = Give it as ray://HOST:PORT or HOST:PORT.

cluster-unreachable = No Ray cluster answers at { $address }: { $reason }
    .do = Start the cluster, or correct the address, also in RAY_ADDRESS.

no-ray-cluster = it is not a Ray cluster

cluster-closed-connection = the server closed the connection

joining-cluster = Joining the Ray cluster at { $address }: anyone who controls one of its computers can run any code on this computer, with your permissions.

cluster-not-trusted = The Ray cluster at { $address } was not joined: without a token, anyone who controls one of its computers can run any code on this computer, with your permissions
    .do = Protect the cluster by a token (RAY_AUTH_MODE=token on all its computers and on this one), or state that you trust its computers and its network.

ray-cluster-open = Ray { $version } started a cluster that is open to other computers, and coverslip stopped it
    .do = Install the version of Ray that coverslip was tested with.

ray-imported-before = Ray was already imported, and would start a cluster that listens to other computers
    .do = Use a program that has not used Ray before.

ray-not-connected = coverslip could not connect to Ray or start it ({ $name }): { $reason }
    .do = Start a cluster, or give the address of a running one.

ray-of-this-computer = of this computer

# Options and named records

option-no-boolean = it must be true or false

option-no-choice = it must be one of { $choices }

option-no-number = it must be a { $is_whole ->
        [true] whole number
       *[false] number
    }{ $range ->
        [both] {" "}between { NUMBER($minimum, maximumFractionDigits: 6) } and { NUMBER($maximum, maximumFractionDigits: 6) }
        [low] , { NUMBER($minimum, maximumFractionDigits: 6) } or more
        [high] , at most { NUMBER($maximum, maximumFractionDigits: 6) }
       *[none] { "" }
    }

option-no-list = it must be a list of { $n ->
        [one] { $n } whole number
       *[other] { $n } whole numbers
    }{ $range ->
        [both] {" "}between { NUMBER($minimum, maximumFractionDigits: 6) } and { NUMBER($maximum, maximumFractionDigits: 6) }
        [low] , { NUMBER($minimum, maximumFractionDigits: 6) } or more
        [high] , at most { NUMBER($maximum, maximumFractionDigits: 6) }
       *[none] { "" }
    }

options-too-many = there are more than { $limit } values, or more than { $depth } levels of nesting

option-too-long = '{ $name }' is longer than { $limit } characters

option-too-large = '{ $name }' is beyond the limit of { $limit }

loss-without-options = the loss { $name } has no options

no-such-record = there is no such { $kind_of_record }{ $has_nearest ->
        [true] {" "}(did you mean '{ $nearest }'?)
       *[false] { "" }
    }; available: { $names }

record-twice = there is already a { $kind_of_record } named '{ $name }'

augmentation-draws-unknown = augment.{ $name } draws '{ $part }', which is not a part of the transform or is drawn by another augmentation
