# The keys of a recipe. An entry's code is `key-` and the dotted key, with dashes for dots and underscores.
#
#   .name        the label of the key in forms and lists
#   .help        one or two sentences for users
#   .meaning     the exact meaning, for the reference; without it, the help
#   .unit        the unit of the value
#   .empty       what null means
#   .phrase      what the methods text of a report says of a value; $value is the formatted value, $n a number
#   .phrase-off  the same for null and false; without it, the methods text says nothing
#
# `key-<key>-choice-<value>` names one of the values that the key has by name, with its `.phrase`.
# `key-model-options-<network>-<option>` and `key-loss-options-<loss>-<option>` are the entries of options.

## Groups of keys

key-group-split =
    .name = Split
    .help = which images are used for training, validation and test

key-group-classes =
    .name = Classes and groups
    .help = which classes the classifier distinguishes, and which images belong together

key-group-start =
    .name = Initial weights
    .help = those of a network pretrained on photographs, random ones, or those of an earlier run

key-group-augment =
    .name = Data augmentation
    .help = images are rotated, mirrored and shaded during training, so that the network generalizes to new images

key-group-balance =
    .name = Rare classes
    .help = whether images of rare classes have a larger weight

key-group-images =
    .name = Preprocessing
    .help = size, channels and intensities of images

key-group-decision =
    .name = Decision threshold
    .help = the positive class, target sensitivity or specificity, and when a prediction is uncertain

key-group-training =
    .name = Fine-tuning
    .help = epochs, learning rate and early stopping

key-group-basic =
    .name = Other settings
    .help = random seed and device

key-group-protocol =
    .name = Settings for studies
    .help = steps of publications, most of which make metrics too high, and degraded images; not for a classifier in use

## Allowed values

values-list = list of { $items }s

values-mapping = `key: value` lines

values-or = { $first } or { $second }

values-text = text

values-length = length in µm such as `32 um`

values-whole-number = whole number

values-range = { $low_end ->
        [inclusive] { $high_end ->
            [inclusive] { NUMBER($low, maximumFractionDigits: 8) } to { NUMBER($high, maximumFractionDigits: 8) }
            [exclusive] { NUMBER($low, maximumFractionDigits: 8) } or more, below { NUMBER($high, maximumFractionDigits: 8) }
           *[none] { NUMBER($low, maximumFractionDigits: 8) } or more
        }
        [exclusive] { $high_end ->
            [inclusive] above { NUMBER($low, maximumFractionDigits: 8) }, at most { NUMBER($high, maximumFractionDigits: 8) }
            [exclusive] above { NUMBER($low, maximumFractionDigits: 8) }, below { NUMBER($high, maximumFractionDigits: 8) }
           *[none] above { NUMBER($low, maximumFractionDigits: 8) }
        }
       *[none] { $high_end ->
            [inclusive] at most { NUMBER($high, maximumFractionDigits: 8) }
            [exclusive] below { NUMBER($high, maximumFractionDigits: 8) }
           *[none] { "" }
        }
    }

## Network

key-model =
    .name = Network
    .help = The network that is trained.
    .meaning = A network by its name, or `timm/NAME`.
    .phrase = { $value }

key-model-options =
    .name = Options of the network
    .help = Options of the architecture, such as its width.
    .meaning = Options of the architecture.
    .phrase = { $value }

key-model-options-mobilevit-mn-dsc =
    .name = Separable convolutions
    .help = Replace 3x3 convolutions by pairs of smaller ones, as the paper proposes.

key-model-options-mobilevit-mn-mv2-attention =
    .name = Attention between blocks
    .help = Channel attention in the blocks of MobileNet-v2.

key-model-options-mobilevit-mn-mv2-attention-choice-none = none

key-model-options-mobilevit-mn-mv2-attention-choice-se = squeeze and excitation (SE)

key-model-options-mobilevit-mn-mv2-attention-choice-nam = by weights of batch norms (NAM)

key-model-options-mobilevit-mn-mobilevit-attention =
    .name = Attention within MobileViT blocks
    .help = Channel attention in the blocks with transformers.

key-model-options-mobilevit-mn-mobilevit-attention-choice-none = none

key-model-options-mobilevit-mn-mobilevit-attention-choice-se = squeeze and excitation (SE)

key-model-options-mobilevit-mn-mobilevit-attention-choice-nam = by weights of batch norms (NAM)

key-model-options-mobilevit-mn-depths =
    .name = Encoders per block
    .help = Number of transformer encoders in each of the three MobileViT blocks. More are slower.

key-model-options-mobilevit-mn-placement =
    .name = Placement of attention
    .help = The text of the paper and its printed parameter counts differ.

key-model-options-mobilevit-mn-placement-choice-text = by the text of the paper

key-model-options-mobilevit-mn-placement-choice-counts = by its parameter counts

key-model-options-mobilevit-mn-neutral-start =
    .name = Neutral initialization of attention
    .help = New attention does not disturb pretrained weights at first. Not in the paper.

key-head =
    .name = Features used
    .help = The features of the network that the classifier uses.
    .meaning = Features of the classifier: mean and standard deviation of the outputs of many layers, or the outputs of the last layer only.

key-head-choice-multi-layer = of several layers
    .phrase = means and standard deviations of the outputs of its blocks

key-head-choice-native = of the last layer
    .phrase = the outputs of its last layer

key-tta =
    .name = Test-time augmentation
    .help = The network also processes rotated and mirrored copies of each image, and the results are averaged. More copies take longer.
    .meaning = Number of copies that are averaged when features are computed and when images are predicted. `auto`: 2 if the data augmentation includes rotation by 180°, otherwise 1. 1: the image alone. 2: also rotated by 180°. 4: also both mirror images. 8: also all of these rotated by 90°.

key-tta-choice-auto = automatic

key-tta-choice-1 = 1: the image alone

key-tta-choice-2 = 2: also rotated by 180°
    .phrase = averaged over 2 mirrored or rotated copies

key-tta-choice-4 = 4: also mirrored
    .phrase = averaged over 4 mirrored or rotated copies

key-tta-choice-8 = 8: also rotated by 90°
    .phrase = averaged over 8 mirrored or rotated copies

key-stage =
    .name = Kind of training
    .help = The instant classifier is ready within seconds to minutes. Fine-tuning then trains the whole network on your images.
    .meaning = `instant` stops after the linear probe on frozen features. `finetune` then trains the whole network. With random initial weights, the network is trained in either case.

key-stage-choice-finetune = instant classifier, then fine-tuning

key-stage-choice-instant = instant classifier only

key-init =
    .name = Initial weights
    .help = The weights of a network pretrained on photographs, random weights, or those of an earlier run.
    .meaning = Initial weights: `imagenet`, `scratch` (random), `{ "{" }run: PATH{ "}" }` (those of an earlier run), or `{ "{" }train_on: DATA{ "}" }` (pretraining on other labeled images, then training on yours).

key-init-choice-imagenet = ImageNet
    .phrase = ImageNet weights

key-init-choice-scratch = random
    .phrase = random weights

key-head-init =
    .name = Initial last layer
    .help = The last layer at the beginning of fine-tuning: that of the instant classifier, or a random one as in many publications.
    .meaning = Last layer at the beginning of fine-tuning: that of the instant classifier, or a random one. The instant classifier is fitted in either case, and kept if its validation results are better (unless `stage_selection` is `finetune`). With random initial weights, the last layer is always random.

key-head-init-choice-instant = the instant classifier

key-head-init-choice-random = a random last layer
    .phrase = fine-tuning begun with a random last layer

key-refit-head =
    .name = Refit the last layer
    .help = After fine-tuning, a linear discriminant is fitted on the features of training and validation images and averaged with the trained last layer. Publications keep the trained layer.
    .meaning = After fine-tuning, average the calibrated logits of the trained last layer and of a linear probe. The probe is fitted on the fine-tuned features of training and validation images. Its weight is the one with the lowest log loss on validation images. The result is one linear layer.
    .phrase = the last layer averaged with a refitted one
    .phrase-off = the last layer as it was trained

key-refit-all =
    .name = Fit the delivered classifier on all images
    .help = After its test, the last layer of the instant classifier is fitted on test images too, so that all labels are used. The tested classifier is stored beside it, and every metric is of the tested one.
    .meaning = After the test images have been used once, fit the last layer of the instant classifier on training, validation and test images. Its probabilities are calibrated on held-out images. This classifier predicts new images. The tested classifier is stored beside it. Metrics, thresholds and limits are of the tested one. There is no effect after fine-tuning, with a cap on training images, and with folds, whose final classifier is trained on all images anyway.
    .phrase = the last layer of the delivered classifier fitted on all images after the test
    .phrase-off = the tested classifier delivered

key-freeze-to =
    .name = Frozen layers
    .help = The network is not changed up to and including this part. The documentation of networks lists the parts.
    .meaning = The network is frozen up to and including this part.
    .empty = none
    .phrase = its parts up to { $value } frozen

key-dropout =
    .name = Dropout
    .help = Dropout and stochastic depth of the network in training. Publications use those of their program.
    .meaning = Dropout and stochastic depth in training. `default`: of the network as coverslip builds it, usually none. `torchvision`, `keras`: as that program builds the network, also in frozen layers. Networks that the program does not have are unchanged.

key-dropout-choice-default = usually none

key-dropout-choice-torchvision = as in torchvision
    .phrase = dropout and stochastic depth as in torchvision

key-dropout-choice-keras = as in Keras
    .phrase = dropout and stochastic depth as in Keras

key-batch-norm =
    .name = Batch normalization
    .help = Whether fine-tuning updates the mean and variance in batch normalization layers. Automatic keeps those of pretrained networks.
    .meaning = Whether batch normalization keeps the statistics of the pretrained network, or updates them by the batches of fine-tuning, beginning with those of the training images. `auto` keeps them unless initial weights are random.

key-batch-norm-choice-auto = automatic

key-batch-norm-choice-keep = keep
    .phrase = statistics of batch norms kept as they were

key-batch-norm-choice-learn = update
    .phrase = statistics of batch norms taken from the batches

## Fine-tuning

key-epochs =
    .name = Maximum epochs
    .help = In an epoch, every training image is used once. Few images need more epochs. Automatic chooses the number.
    .meaning = Maximum number of passes over the training images in fine-tuning. `auto` is 8 if an epoch has at least 800 images. With fewer images, it is the number of epochs that uses 6,400 images in total, at most 60.
    .phrase = for at most { $n ->
        [one] { $n } epoch
       *[other] { $n } epochs
    }

key-epochs-choice-auto = automatic

key-last-epoch =
    .name = End after epoch
    .help = Fine-tuning ends after this epoch, although the learning rate follows the schedule of all epochs.
    .meaning = Last epoch of fine-tuning, although the learning rate follows the schedule of all `epochs`. If empty (null), all epochs are run.
    .empty = after the last
    .phrase = ended after epoch { $value }

key-schedule-changes =
    .name = Changes of the number of epochs
    .help = A time budget writes here how it adapted fine-tuning to the time, so that the training can be reproduced. Leave it empty otherwise.
    .meaning = `epoch: number of epochs` lines, both with decimals. From that epoch on, the learning rate falls so that it reaches its end after that total number of epochs. A time budget writes these lines.
    .phrase = the number of epochs adapted to a time budget

key-batch-size =
    .name = Batch size
    .help = Number of images processed together in one step of training. Fewer images need less memory.
    .meaning = Images per step of fine-tuning. With fewer images, an epoch has more steps.
    .unit = images
    .phrase = batches of { $value }

key-last-batch =
    .name = Last batch of an epoch
    .help = Whether the images of an epoch that do not fill its last batch are used. Few images give batch norms noisy statistics. Publications usually use them.
    .meaning = Images of an epoch that do not fill its last batch. `skip`: they are skipped, other images in each epoch. `keep`: they are a smaller batch, unless it is a single image.

key-last-batch-choice-skip = skipped

key-last-batch-choice-keep = a smaller batch
    .phrase = an incomplete last batch

key-optimizer =
    .name = Optimizer
    .help = How the parameters of the network are updated. The default suits almost all trainings. The others reproduce published trainings.
    .meaning = Optimizer of fine-tuning. `amsgrad` is Adam with the largest second moment so far. `sgd` has momentum 0.9, of the kind that `nesterov` sets. `adam-then-sgd` changes from Adam to SGD during training.

key-optimizer-choice-adamw = AdamW
    .phrase = AdamW

key-optimizer-choice-adam = Adam
    .phrase = Adam

key-optimizer-choice-amsgrad = Adam (AMSGrad)
    .phrase = Adam (AMSGrad)

key-optimizer-choice-sgd = SGD with momentum
    .phrase = SGD with momentum 0.9

key-optimizer-choice-adam-then-sgd = Adam, then SGD
    .phrase = Adam

key-learning-rate =
    .name = Learning rate
    .help = How much the parameters change at each step. If it is too large, training fails. If it is too small, training takes long.
    .meaning = Peak learning rate of fine-tuning.
    .phrase = peak learning rate { $value }

key-sgd-from =
    .name = Change to SGD after
    .help = Only for Adam followed by SGD: the share of epochs after which the optimizer changes.
    .meaning = Share of the epochs after which `adam-then-sgd` changes to SGD.
    .phrase = after { $value } of the epochs SGD with momentum 0.9

key-sgd-learning-rate =
    .name = Learning rate of SGD
    .help = Only for Adam followed by SGD: the largest learning rate after the change.
    .meaning = Peak learning rate of SGD in `adam-then-sgd`.
    .phrase = with a peak learning rate of { $value }

key-nesterov =
    .name = Nesterov momentum
    .help = Only for SGD: whether its momentum of 0.9 is that of Nesterov.
    .meaning = Whether the momentum of SGD (0.9) is that of Nesterov, for `sgd` and `adam-then-sgd`.
    .phrase-off = without Nesterov momentum

key-weight-decay =
    .name = Weight decay
    .help = Keeps the parameters of the network small, which reduces overfitting.
    .meaning = Weight decay. It is not applied to biases and normalization layers.
    .phrase = weight decay { $value }

key-clip-gradient =
    .name = Gradient clipping
    .help = Limits the norm of the gradient, so that training does not diverge. Automatic limits it for SGD, and for training that begins with the instant classifier.
    .meaning = Maximum norm of the gradient over all parameters. `auto` is 1 for `sgd`, which diverged without a limit, and for training that begins with the instant classifier; otherwise there is no limit. If empty (null), there is no limit.
    .empty = no clipping
    .phrase = gradients shortened to a length of at most { $value }
    .phrase-off = no gradient clipping

key-clip-gradient-choice-auto = automatic

key-schedule =
    .name = Learning rate schedule
    .help = How the learning rate changes during training.
    .meaning = How the learning rate falls. `cosine`: to zero along a cosine. `constant`: not at all.

key-schedule-choice-cosine = falls smoothly to zero
    .phrase = falling to zero along a cosine

key-schedule-choice-constant = stays constant
    .phrase = held constant

key-warmup =
    .name = Warm-up
    .help = The share of all steps during which the learning rate rises from zero. This protects pretrained weights.
    .meaning = Share of all steps during which the learning rate rises from zero.
    .phrase = the learning rate growing from zero over the first { $value } of the steps
    .phrase-off = no warm-up of the learning rate

key-loss =
    .name = Loss
    .help = The loss that training minimizes. Focal loss reduces the weight of images with confident predictions.
    .meaning = The loss that fine-tuning minimizes, per image. `cross_entropy` is minus the logarithm of the probability of the true class. `focal` reduces the weight of images with a high probability of the true class (Lin et al. 2017).

key-loss-choice-cross-entropy = cross-entropy
    .phrase = cross-entropy

key-loss-choice-focal = focal
    .phrase = focal loss (Lin et al. 2017)

key-loss-options =
    .name = Options of the loss
    .help = Numeric options of the loss. Focal loss has gamma.
    .meaning = Options of the loss: `focal` has `gamma` (0 to 10; default 2).
    .phrase = { $value }

key-loss-options-focal-gamma =
    .name = Gamma
    .help = Higher values reduce the weight of images that are classified with confidence. At 0 all weights are equal.

key-class-weights =
    .name = Weight of rare classes
    .help = With equal weights, a network may perform well on frequent classes only. The test set is not changed.
    .meaning = In training only: `balanced` weights the loss of each image so that every class has the same weight.

key-class-weights-choice-none = the same weight for every image

key-class-weights-choice-balanced = a larger weight for rare classes
    .phrase = weighted by class

key-sampling =
    .name = Images in each epoch
    .help = Which images an epoch uses, and how often. The test set is not changed.
    .meaning = In training only. `all`: each image once. `oversample`: images of rare classes more often. `undersample`: images of frequent classes less often. `even`: both, in an epoch of the usual length. `domains`: images of small domains more often, if there are several domains.

key-sampling-choice-all = each image once

key-sampling-choice-oversample = images of rare classes more often
    .phrase = with rare classes drawn more often

key-sampling-choice-undersample = fewer images of frequent classes
    .phrase = with frequent classes drawn less often

key-sampling-choice-even = every class equally often, in as many steps
    .phrase = with every class drawn equally often

key-sampling-choice-domains = images of small domains more often
    .phrase = with images of every domain drawn equally often

key-rare-class-repeats =
    .name = Repeats of the rarest class
    .help = How often each image of the smallest class is used in an epoch, if frequent classes have fewer images. Each time, its data augmentation differs.
    .meaning = With `sampling: undersample`: how often each image of the smallest class is drawn in an epoch. All classes are drawn equally often. With 5 and 436 images in the smallest class, an epoch has 2,180 images of each class.
    .phrase = each image of the smallest class { $value } { $n ->
        [one] time
       *[other] times
    } in each epoch

key-checkpoint-selection =
    .name = Checkpoint selection
    .help = The epoch whose network is used. If training begins with the instant classifier, the last epoch is better than the best epoch on a few validation images.
    .meaning = Epoch whose network is kept. `auto` is the last epoch if training begins with the instant classifier and the learning rate falls along a cosine. Otherwise it is the best epoch by the primary metric on validation images.

key-checkpoint-selection-choice-auto = automatic

key-checkpoint-selection-choice-best = the best epoch on validation images
    .phrase = keeping the best epoch

key-checkpoint-selection-choice-last = the last epoch
    .phrase = keeping the last epoch

key-checkpoint-selection-set =
    .name = Images that select the checkpoint
    .help = Publications sometimes select the epoch by the images that they test. The metrics are then too high.
    .meaning = Set of images that selects the best epoch and ends training early. `test` is the set whose metrics are reported, which are then too high. Only if leakage is allowed, or in a study.

key-checkpoint-selection-set-choice-validation = the validation images

key-checkpoint-selection-set-choice-test = the test images
    .phrase = with the epoch selected by the test images

key-validation-copies =
    .name = Copies of validation images
    .help = The number of augmented copies of each image that selects the epoch. Other training decisions use the images themselves.
    .meaning = Number of augmented copies of each image that selects the epoch, in addition to the image. The copies are the same in every epoch.
    .unit = copies
    .phrase = { $value } augmented { $n ->
        [one] copy
       *[other] copies
    } of each image that selects the epoch

key-stage-selection =
    .name = Stage selection
    .help = Whether the instant classifier is kept if the fine-tuned network has worse validation results. Publications keep the fine-tuned network in any case.
    .meaning = Whether the instant classifier or the fine-tuned network is kept: the one with the better validation results, or the fine-tuned network in any case. If fine-tuning begins with the instant classifier and has at least three quarters of the epochs that `auto` sets, the fine-tuned network is kept unless its primary metric is lower by more than two standard errors of the difference.

key-stage-selection-choice-better = selected by validation results

key-stage-selection-choice-finetune = the fine-tuned network
    .phrase = the fine-tuned network kept in any case

key-patience =
    .name = Patience
    .help = Training stops after this number of epochs without a better result on validation images. If the last epoch is kept and the learning rate falls smoothly, all epochs are run.
    .meaning = Number of epochs without a better primary metric on validation images after which training stops. If empty (null), training does not stop early. All epochs are run if the last one is kept and the learning rate falls along a cosine.
    .unit = epochs
    .empty = never stop early
    .phrase = stopping after { $value } epochs without a better one
    .phrase-off = never stopping early

## Regularizer

key-regularizer-groups =
    .name = Group features by
    .help = An additional term of the loss, from a publication: images of a group should have similar features.
    .meaning = How features are grouped. `none` disables the regularizer. `labels` groups them by class. `kmeans` groups them by K-means within the images of a step, one cluster for each class, as published.

key-regularizer-groups-choice-none = no

key-regularizer-groups-choice-labels = by class
    .phrase = of the classes

key-regularizer-groups-choice-kmeans = by similarity (K-means)
    .phrase = that K-means found in each batch

key-regularizer-spread-weight =
    .name = Push groups apart
    .help = For the regularizer: how strongly groups are pushed apart. 0 disables this term.
    .meaning = Weight of the distance between groups. 0 disables this term.
    .phrase = { $value }

key-regularizer-scatter-weight =
    .name = Pull groups together
    .help = For the regularizer: how strongly images of a group are pulled together. 0 disables this term.
    .meaning = Weight of the distance of features from the center of their group. 0 disables this term.
    .phrase = { $value }

key-regularizer-scatter =
    .name = Combine distances by
    .help = For the regularizer: whether distances within a group are averaged or summed.
    .meaning = How the distances of a group from its center are combined: their mean, or their sum as published, which grows with `batch_size` and `memory`.

key-regularizer-scatter-choice-sum = their sum
    .phrase = distances within a group added up

key-regularizer-scatter-choice-mean = their mean
    .phrase = distances within a group averaged

key-regularizer-memory =
    .name = Earlier images in groups
    .help = For the regularizer: how many earlier images are included in the groups. 0 is none.
    .meaning = Earlier images of the same epoch whose features are included in the groups, because a step of a few images has small groups. 0 uses only the images of the step, as published.
    .unit = images
    .phrase = { $value } earlier images taken into the groups

## Preprocessing

key-image-size =
    .name = Image size
    .help = Side in pixels to which images are resized. Smaller images are processed faster. Larger images show finer detail. Crop size sets the number of µm that an image shows.
    .meaning = Side in pixels to which images are resized. If empty (null), the size of the network is used.
    .unit = pixels
    .empty = the size of the network
    .phrase = to { $value } × { $value } pixels

key-resize =
    .name = Making images square
    .help = How images that are not square are made square. With the same scale for all images, a small cell stays small.
    .meaning = Keep the shape and pad (`pad`), stretch to a square (`stretch`), crop the center square (`crop`), or pad at one scale for all images (`canvas`), so that a small cell stays small.

key-resize-choice-pad = whole image, with a border
    .phrase = keeping their shape and padding to a square

key-resize-choice-stretch = stretch
    .phrase = stretching them to a square

key-resize-choice-crop = crop the center
    .phrase = cutting out the center square

key-resize-choice-canvas = same scale for all, with a border
    .phrase = at one scale for all images, padding to a square

key-pad-color =
    .name = Color of the border
    .help = The color of the border of padded images.
    .meaning = Color of the border for `pad` and `canvas`: the color at the edge of the image (`auto`), black or white.

key-pad-color-choice-auto = as the image’s edge

key-pad-color-choice-black = black
    .phrase = any border being black

key-pad-color-choice-white = white
    .phrase = any border being white

key-scaling =
    .name = Intensities
    .help = Which values become black and white. If each image has its own range, differences in brightness between images are lost.
    .meaning = How intensities are scaled to 0–1. `full`: by the full range of the data type. `training-range`: by the range of the training images. `per-image`: by the range of each image, which removes differences in intensity. `auto`: `full` for 8-bit images, otherwise `training-range`.

key-scaling-choice-auto = automatic
    .phrase = by the full range (8 bit) or the range of the training images (deeper)

key-scaling-choice-full = whole range of the format
    .phrase = by the full range of the data type

key-scaling-choice-training-range = range of the training images
    .phrase = by the range of the training images

key-scaling-choice-per-image = each image separately
    .phrase = by each image's own range

key-normalization =
    .name = Normalization
    .help = Scales intensities to the mean and standard deviation that the network was trained with.
    .meaning = Mean and standard deviation by which intensities in 0–1 are normalized: those that the weights were trained with (`weights`), those of ImageNet (`imagenet`), none (`none`), those of the training images (`training-images`), or those of the weights after intensities were divided by 255 once more (`rescaled-twice`), a fault of some publications.

key-normalization-choice-weights = as the network expects

key-normalization-choice-imagenet = as for ImageNet
    .phrase = then brought to ImageNet's mean and standard deviation

key-normalization-choice-none = none
    .phrase = without further normalization

key-normalization-choice-training-images = by the training images
    .phrase = then brought to the training images' mean and standard deviation

key-normalization-choice-rescaled-twice = scaled twice, as a fault of some publications
    .phrase = then divided by 255 once more, as a fault of some publications

key-degrade-blur =
    .name = Blur of all images
    .help = Blurs all images, those for training and testing, to see how much focus matters. In pixels of the image; 0 is none.
    .meaning = Sigma of a Gaussian blur of every image before it is resized, in training, test and prediction. 0: none.
    .unit = pixels
    .phrase = all images blurred (sigma { $value } pixels)

key-degrade-scale =
    .name = Size of the content
    .help = Shrinks the content of all images, those for training and testing, to see how much resolution matters. 1 is unchanged.
    .meaning = Factor of the size of the content of every image before it is resized, about its center, in training, test and prediction. 1: unchanged.
    .phrase = the content of all images scaled by { $value }

key-degrade-noise =
    .name = Noise of all images
    .help = Adds noise to all images, those for training and testing, to see how much it matters. Relative to the range of intensities; 0 is none.
    .meaning = Standard deviation of Gaussian noise in every image, relative to the range of its intensities, in training, test and prediction. 0: none.
    .phrase = noise added to all images (standard deviation { $value } of the range)

key-match-zoom =
    .name = Zoom of all images
    .help = Enlarges the center of all images, so that objects are as large as those of another laboratory. 1 is unchanged.
    .meaning = Factor by which the center of every image is enlarged, in training and test. 1: unchanged. Adaptations set it; the factor for images of the other laboratory is stored in the classifier.
    .phrase = the center of all images enlarged by { $value }

key-match-stain =
    .name = Same stain in all images
    .help = Gives all images the same mean color and contrast, so that the stain of a laboratory matters less.
    .meaning = Whether mean and standard deviation of each image in CIELAB are set to fixed values after it is resized (Reinhard et al. 2001), in training, test and prediction. Adaptations set it.
    .phrase = mean and standard deviation of each image in CIELAB set to fixed values (Reinhard et al. 2001)

key-images-series =
    .name = Series
    .help = For files with several images, such as positions of a stage or scenes: the number of the image, from 0.
    .meaning = Number (from 0) of the series, such as a stage position or a scene, of files with several.
    .phrase = series { $value } (from 0) of a file being used

key-images-t =
    .name = Time point
    .help = For films: the number of the time point, from 0.
    .meaning = Number (from 0) of the time point of films.
    .phrase = time point { $value } (from 0) of a film being used

key-images-z =
    .name = z-plane
    .help = For stacks: the number of the z-plane, from 0; “max” or “mean” over all z-planes; “best-focus” for the sharpest one; or “channels” if each page of a file is a channel.
    .meaning = z-plane of a stack (from 0), `max` or `mean` over all z-planes, `best-focus` for the sharpest one, or `channels` if each page of a file is a channel. Pages of unknown meaning are z-planes.
    .phrase = z-plane { $value } (from 0) of a stack being used

key-images-z-choice-max = the maximum of all z-planes
    .phrase = the maximum of all z-planes of a stack being used

key-images-z-choice-mean = the mean of all z-planes
    .phrase = the mean of all z-planes of a stack being used

key-images-z-choice-best-focus = the sharpest z-plane
    .phrase = the sharpest z-plane of a stack being used

key-images-z-choice-channels = each page is a channel
    .phrase = the pages of a file being used as its channels

key-images-channels =
    .name = Channels
    .help = The channels that the network uses, by their numbers from 0 or by their names in the file.
    .meaning = Numbers (from 0) or names of the channels to use. If empty (null), all channels are used.
    .empty = all
    .phrase = channels { $value } (from 0) being used

key-images-level =
    .name = Pyramid level
    .help = For whole slides and other images that are stored in several resolutions: 0 is the full resolution, higher levels are coarser.
    .meaning = Level (from 0) of images that are stored in several resolutions; 0 is the full resolution. Boxes and crop sizes in pixels are in those of level 0.
    .phrase = level { $value } of a resolution pyramid being used (0 is the full resolution)

key-images-pixel-size-um =
    .name = Pixel size
    .help = The side of a pixel in µm, for images whose files do not state it, such as PNG, or state a wrong one. It does not change the training, unless crops have a size in µm. The classifier records it, so that images of another pixel size can be detected.
    .meaning = Side in µm of a pixel of level 0, which replaces the pixel size that files state. If empty (null), the size is that of the files. Except for crops of a size in µm, it does not change the training; the classifier records it.
    .unit = µm
    .empty = as the files state
    .phrase = a pixel size of { $value } µm being stated

key-channel-files =
    .name = Files of channels
    .help = If each channel is in a separate file: the part of the file names that distinguishes the channels, in their order, such as _w1 and _w2.
    .meaning = Parts of the file names that distinguish the channels of an image, if each channel is in a separate file: `[_w1, _w2]`. If empty (null), each file is an image.
    .empty = each file is an image
    .phrase = files with { $value } in their names being the channels of an image

key-crop-size =
    .name = Crop size
    .help = For a table of points or boxes in fields of view: the side of the square that is cropped around each point, or around the center of each box, in pixels (80) or in µm (32 um). About twice the diameter of a cell is a good start. In µm, whole images are cropped around their center, too, so that all images have the same scale.
    .meaning = Side of the square around each point, or around the center of each box, of a table. In µm, also around the center of whole images: all images then show the same number of µm, whatever their pixel size, and images without a pixel size are refused. If empty (null), there are no points, and boxes and whole images keep their size.
    .unit = pixels, or µm
    .empty = the boxes of a table
    .phrase = { $n ->
        [0] squares of { $value } being cut out around the points, boxes or centers of the images
       *[other] squares of { $value } pixels being cut out around the points or boxes of a table
    }

key-crop-margin =
    .name = Margin around boxes
    .help = For a table of boxes, such as a table of objects: how much of the surroundings is cropped on each side of a box, as a share of the longer side of the box (0.2) or in µm (2 um). A crop size replaces it.
    .meaning = Margin on each side of a box of a table, as a share of the longer side of the box, or in µm. `crop_size` replaces it.
    .phrase = { $n ->
        [0] a margin of { $value } being added on each side of each box
       *[other] a margin of { $value } times the longer side of each box being added on each side
    }

## Decisions

key-positive-class =
    .name = Positive class
    .help = For two classes. Sensitivity is the share of its images that are predicted as this class.
    .meaning = For two classes: the class that sensitivity, specificity, PPV and NPV refer to. If empty (null) and one class is named negative, normal, healthy, control or similar, the positive class is the other one; else it is the second class.
    .empty = by names, else the second
    .phrase = { $value } was the positive class

key-decide-by =
    .name = Decision rule
    .help = Thresholds are set on validation images. With them, rare classes are predicted more often and frequent classes less often.
    .meaning = The decision rule. `highest`: the most probable class. `roc`: the class furthest above its own threshold; the thresholds have the best balance of sensitivity and specificity on validation images, so rare classes are predicted more often and frequent classes less often. For two classes, `sensitivity` and `specificity`: the threshold at which validation images show, with 90% confidence, that new images of the positive class (or of the other class) reach `target`. For two classes, `threshold`: the given `threshold`.

key-decide-by-choice-highest = most probable class
    .phrase = The most probable class was predicted.

key-decide-by-choice-roc = class furthest above its own threshold (ROC)

key-decide-by-choice-sensitivity = two classes: target sensitivity of the positive class

key-decide-by-choice-specificity = two classes: target specificity of the positive class

key-decide-by-choice-threshold = two classes: a given threshold of the positive class

key-target =
    .name = Target sensitivity or specificity
    .help = Used only if the decision rule is a target sensitivity or specificity.
    .meaning = The target if `decide_by` is `sensitivity` or `specificity`: the lower 90% confidence bound reaches it. If validation images are too few, the threshold has the highest bound, and a warning states it.

key-threshold =
    .name = Threshold of the positive class
    .help = Used only if the decision rule is a given threshold.
    .meaning = If `decide_by` is `threshold`: images with at least this probability are predicted as the positive class.

key-error-rate =
    .name = Target error rate
    .help = At most this share of the decided validation images is misclassified. Less certain predictions are marked uncertain. If automatic, the target is half of the error rate of deciding all images, and at most 20% of the images are uncertain.
    .meaning = Target error rate of the decided validation images. As few images as necessary, and at most four in five, are `uncertain`. If empty (null), the target is half of the error rate of deciding all images, and at most one image in five is `uncertain`.
    .empty = automatic
    .phrase = predictions were marked uncertain where more than a share of { $value } would have been wrong

## Data augmentation

key-augment-rotate-degrees =
    .name = Rotate
    .help = Images are rotated by up to this angle in either direction. 180 allows any angle, because cells on a slide have no upright orientation.
    .meaning = Largest rotation in either direction. 180 allows any angle.
    .unit = degrees
    .phrase = rotation by up to { $value }°

key-augment-zoom =
    .name = Zoom
    .help = Images are enlarged or reduced by up to this share. 0.1 is a tenth.
    .meaning = Largest relative change of scale: 0.1 draws from 1/1.1 to 1.1.
    .phrase = zoom of ±{ $value }

key-augment-flip =
    .name = Mirror
    .help = Images are mirrored at random. Switch this off if the mirror image has another class, as for letters, or if left and right differ.
    .meaning = Mirror left–right and top–bottom, each with probability 0.5. `horizontal`: left–right only.

key-augment-flip-choice-true = both ways
    .phrase = mirroring

key-augment-flip-choice-false = no

key-augment-flip-choice-horizontal = left and right only
    .phrase = mirroring left and right

key-augment-shift =
    .name = Shift
    .help = Images are shifted by up to this share of their side.
    .meaning = Largest shift as a share of the side of the image.
    .phrase = shift of up to { $value }

key-augment-contrast =
    .name = Contrast
    .help = The contrast is increased or reduced by up to this share.
    .meaning = Largest relative change of contrast.
    .phrase = contrast of ±{ $value }

key-augment-brightness =
    .name = Brightness
    .help = Images become brighter or darker by up to this share of the full range.
    .meaning = Largest change of brightness as a share of the full range.
    .phrase = brightness of ±{ $value }

key-augment-shear-degrees =
    .name = Shear
    .help = Images are slanted by up to this angle, like italic letters.
    .meaning = Largest shear angle in either direction.
    .unit = degrees
    .phrase = shear by up to { $value }°

key-augment-crop =
    .name = Crop
    .help = Up to this share of the side is cropped. The rest is enlarged to the full image.
    .meaning = Largest share of the side that is cropped, at a random position. The rest is enlarged to the full image.
    .phrase = cropping of up to { $value } of the side

key-augment-stain =
    .name = Stain strength
    .help = Each stain becomes stronger or weaker by up to this share, as between two stainings. For stained slides in bright field.
    .meaning = Largest relative change of the strength of each stain, in optical density (base e). For bright-field color images.
    .phrase = strength of stains of ±{ $value } (by color deconvolution)

key-augment-saturation =
    .name = Saturation
    .help = Colors become stronger or paler by up to this share.
    .meaning = Largest relative change of saturation. For color images.
    .phrase = saturation of ±{ $value }

key-augment-hue-degrees =
    .name = Hue
    .help = The hue is shifted by up to this angle on the color circle.
    .meaning = Largest shift of the hue in either direction. For color images.
    .unit = degrees
    .phrase = hue by up to { $value }°

key-augment-blur =
    .name = Blur
    .help = Images are blurred by up to this number of pixels, as if out of focus.
    .meaning = Largest sigma of a Gaussian blur, in pixels of the resized image.
    .unit = pixels
    .phrase = Gaussian blur of up to σ = { $value } pixels

## Named sets of data augmentation. An entry's code is `key-augment-choice-` and the name of the set.

key-augment-choice-default = the default of a recipe

key-augment-choice-none = no augmentation

key-augment-choice-stain = for stained bright-field images (blood, Pap, histology) and predictions on images of other laboratories

key-augment-choice-aimic = AIMIC states no augmentation

key-augment-choice-mobilevit-mn = MobileViT-MN states rotation, flipping and scaling, for the rare class and validation images only

key-augment-choice-mobincep = Mobincep states rotation, flipping, cropping, translation, scaling and shear

key-augment-choice-efficientnetv2-b0 = the EfficientNetV2-B0 paper states flipping, zoom, shear, shifts in both directions and rotation

key-augment-choice-chromosomes = the chromosome paper on two-step transfer states flips in both directions and Gaussian blur

## Classes and groups

key-classes-merge =
    .name = Classes merged
    .help = Classes that are merged into one class, with a new name.
    .meaning = Classes to merge: the new name, then the list of old names.

key-classes-drop =
    .name = Excluded classes
    .help = Images of these classes are not used.
    .meaning = Classes whose images are excluded.

key-classes-rename =
    .name = Classes renamed
    .help = New names for classes.
    .meaning = New names for classes: old name, new name.

key-classes-by-domain =
    .name = Separate classes for each domain
    .help = Whether images of each domain have separate classes, even if these have the same names.
    .meaning = Whether each domain has separate classes, named `<domain>/<class>`. Otherwise, classes with the same name are one class. In either case, the other keys can use such a name for a class of one domain.

key-classes-order =
    .name = Order of classes
    .help = The classes that come first in every table and figure.
    .meaning = Classes, by their new names, in the order of all results. The others follow by name.

key-group =
    .name = Groups
    .help = What names the patient, slide or well of an image: a column of the table, or a pattern in the path.
    .meaning = Column of a table, or regular expression on the path, that names the group of an image (patient, slide, well). All images of a group stay in the same set. `none`: groups that a table states are ignored.
    .empty = none

## Split

key-split-val =
    .name = Validation set
    .help = The share of images that select the best epoch and stop training early. They are not used for training. 0.2 is one image in five.
    .meaning = Share of images in the validation set, which is used for selection and thresholds. With folds, it is also a share of all images: 5 folds with 0.2 train on 60%. 0: no validation images, so that 5 folds train on 80%. Then `epochs` is a number, nothing is selected, and probabilities are not calibrated.

key-split-test =
    .name = Test set
    .help = The share of images for the final metrics. No choice depends on them.
    .meaning = Share of images in the test set, for the final metrics. No choice depends on them.

key-split-folds =
    .name = Folds
    .help = Number of folds of cross-validation. Each fold is tested on other images, until every image was tested once. Training time grows with the number. Useful for few images or few patients. 0 makes one split. If empty, it depends on the number of images and groups, and on the stage.
    .meaning = Number of folds of cross-validation: one network per fold, tested on other images, so that every image is tested once (`test` is then ignored). The classifier itself is trained on all images. 0 makes one split. If empty (null), up to 5 folds are used if the test set of a single split would have fewer than 60 images or 10 groups (300 images or 50 groups in all); with fine-tuning, only if there are fewer than 10 groups in all, or fewer than 100 images without groups.
    .empty = depends on the images

key-split-by-domain =
    .name = Leave one domain out
    .help = One fold per domain (folder, laboratory). Each domain is tested by a network that was trained on all other domains. This estimates the performance on images of a new domain.
    .meaning = One fold per domain, instead of `folds` and `test`: leave one domain out.
    .phrase = each domain tested by a network that was trained on all others

key-split-near-duplicates =
    .name = Near-duplicates
    .help = Images of the same object with different pixels: saved again, resized, rotated, mirrored or cropped. coverslip searches for them and keeps them in the same set. If a near-duplicate of a test image is used for training, the metrics are too high.
    .meaning = Whether near-duplicates are searched for and kept together in training, validation or test set (`together`), or there is no search (`ignore`).

key-split-near-duplicates-choice-together = keep in the same set

key-split-near-duplicates-choice-ignore = do not search
    .phrase = near-duplicates not searched for

key-split-train-per-class =
    .name = Maximum images per class
    .help = The maximum number of training images per class, drawn at random.
    .meaning = Maximum number of training images per class, drawn at random. If empty (null), all images are used.
    .unit = images
    .empty = all
    .phrase = at most { $value } training { $n ->
        [one] image
       *[other] images
    } of each class, drawn at random

key-split-seed =
    .name = Seed of the split
    .help = Images are split by this seed, independent of the seed of the training. Several trainings can then be tested on the same images.
    .meaning = Seed of the split. If empty (null), `seed` is used.
    .empty = the seed of the training
    .phrase = images divided by a seed of their own ({ $value })

key-split-run =
    .name = Split of an earlier training
    .help = The split of an earlier training is used again, so that two trainings can be compared on the same test images. New images are added to the training set.
    .meaning = The folder of an earlier run on these images. Each image stays in its set (training, validation or test). If empty (null), a new split is made.
    .empty = a new split
    .phrase = each image in the same set (training, validation or test) as in an earlier training

key-split-balance =
    .name = Balance before the split
    .help = Removes images of frequent classes before the split. The test set then has equal classes, unlike new images.
    .meaning = `undersample`: before the split, each class is reduced to the size of the smallest, at random. All sets then have equal classes, so that precision and accuracy are not those of the dataset. To balance only the training, use `sampling`.

key-split-balance-choice-none = no

key-split-balance-choice-undersample = reduce all classes to the smallest
    .phrase = each class reduced to the size of the smallest before the split

key-split-copies =
    .name = Copies before the split
    .help = The number of augmented copies of each image that are made before the split. Copies of one image are then in the training and in the test set, so the metrics are too high.
    .meaning = Number of augmented copies of each image, made before the split by `augment`. Each copy is split like an image of its own, unless groups are known. Training itself then draws no augmentation. Only if leakage is allowed, or in a study.
    .unit = copies
    .phrase = { $value } augmented { $n ->
        [one] copy
       *[other] copies
    } of each image made before the split

## Other settings

key-primary-metric =
    .name = Primary metric
    .help = The metric that selects the best epoch on validation images. In macro averages, each class has the same weight.
    .meaning = The metric for selection on validation images.

key-seed =
    .name = Seed
    .help = The start of all random draws. Another number gives another split and another training.
    .meaning = Seed of every random draw.
    .phrase = seed { $value }

key-device =
    .name = Device
    .help = Automatic uses a graphics card (GPU) if there is one.
    .meaning = Device for training. `auto` uses a CUDA GPU if there is one.

key-device-choice-auto = automatic

key-device-choice-cpu = processor (CPU)

key-device-choice-cuda = NVIDIA graphics card

key-device-choice-mps = Apple graphics
