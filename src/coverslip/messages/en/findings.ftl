# Findings: what is wrong with a dataset or could be better. `.title` is the heading of a kind of finding, `.limit` what
# it means for the numbers of a training on these images.

finding-leakage = The predefined split divides { $n_groups ->
        [one] { $n_groups } group
       *[other] { $n_groups } groups
    } and { $n_equal ->
        [one] { $n_equal } set
       *[other] { $n_equal } sets
    } of equal images{ $n_near ->
        [0] { "" }
        [one] , { $n_near } set of near-duplicates
       *[other] , { $n_near } sets of near-duplicates
    }{ $n_chains ->
        [0] { "" }
        [one] {" "}and { $n_chains } chain of groups connected by duplicates
       *[other] {" "}and { $n_chains } chains of groups connected by duplicates
    } between training, validation and test images. Test results would be too optimistic.
    .title = In several sets of the predefined split
    .do = Move them to one set, or let coverslip split the images.

finding-no-labels = No image has a label.
    .title = No labels
    .do = Label images in the app, put each class into a folder, or give a table with a label column.

finding-one-class = There is only one class, { $class_name }. A classifier needs at least two.
    .title = A single class
    .do = Add images of another class in a separate folder.

finding-unlike-channels = Numbers of channels differ ({ $counts }). Training is not possible with these images.
    .title = Different numbers of channels
    .do = { $advice }

channels-of-gray-and-color = Exclude the images of one kind, or export all of them with the same channels.

channels-in-common = If the channels have the same meaning in all images, choose those that all images have. Otherwise, train on one kind of image.

channels-of-number = { $n_images } with { $n_channels }

finding-confounded-groups = Each class is in a single group ({ $group_names }), so class and group cannot be distinguished, and no class can be in both training and test set.
    .title = Each class in a single group
    .do = Add images so that each class comes from several groups. Without them, train without groups. The classifier may then learn the group instead of the class, and the results cannot show it.

finding-overwritten = { $n ->
        [one] The file of { $n } image has
       *[other] The files of { $n } images have
    } other content than when { $n ->
        [one] it was
       *[other] they were
    } labeled in the app. Labels, confirmations, exclusions and second readings are those of the former content.
    .title = Overwritten since they were labeled
    .do = Compare the pictures with the labels. If only details were edited, keep the labels. If these are other images, drop them: they stay with the former content, and come back if files have it again.

finding-unreadable = { $n ->
        [one] { $n } image cannot be read and will be excluded ('{ $first }': { $reason }).
       *[other] { $n } images cannot be read and will be excluded (first: '{ $first }': { $reason }).
    }
    .title = Cannot be read
    .do = If you need these images, put missing files in their place, and copy or export the others again. Otherwise nothing is to be done: these images are excluded.

finding-conflicting-labels = { $n ->
        [one] { $n } image has the same pixels as an image with another label. It will be excluded until the labels agree.
       *[other] { $n } images have the same pixels as an image with another label. All of them will be excluded until the labels agree.
    }
    .title = Same pixels, different classes
    .do = Decide which label is right.

finding-duplicates = { $n_images ->
        [one] { $n_images } image has
       *[other] { $n_images } images have
    } the same pixels as another image, in { $n_clusters ->
        [one] { $n_clusters } set
       *[other] { $n_clusters } sets
    }.
    .title = Same pixels, same class
    .do = If these duplicates are not intended, exclude them. The split keeps them in the same set, but the image counts more than once.
    .limit = The split kept such duplicates in the same set.

finding-class-not-in-training = The predefined split has no training image of { $names }. A classifier cannot learn without training images, so all images with such a label will be excluded.
    .title = No training images of a class
    .do = Move some of these images to the training set, or let coverslip split the images.

finding-small-class = { $names }: fewer than { $n_needed } images. Metrics of so small a class will be imprecise.
    .title = Small classes
    .do = Add images if you can, and check the confidence intervals of the metrics of each class.

finding-small-class-not-in-all-sets = { $names }: fewer than { $n_needed } images. Such a class cannot be in training, validation and test set at the same time.
    .do = Add images of the class, or exclude it.

finding-near-duplicates = { $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    } in { $n_clusters ->
        [one] { $n_clusters } set of near-duplicates
       *[other] { $n_clusters } sets of near-duplicates
    } are copies of another image that were compressed, resized, brightened, rotated, mirrored, shifted or cropped.{ $n_clusters_of_several_classes ->
        [0] { "" }
        [one] {" "}In { $n_clusters_of_several_classes } set, the classes differ.
       *[other] {" "}In { $n_clusters_of_several_classes } sets, the classes differ.
    }
    .title = Near-duplicates
    .do = { $n_clusters_of_several_classes ->
        [0] Check the sets of near-duplicates.
       *[other] Check the sets of near-duplicates, and decide which label is right where classes differ.
    } { $are_all_together ->
        [true] Training does not divide them between training, validation and test images.
       *[false] Training is certain to keep { $n_clusters_together } of the { $n_clusters } sets together in the training, validation or test set.
    } An image with near-duplicates counts more than once.
    .limit = { $are_all_together ->
        [true] The split kept near-duplicates together.
       *[false] The split kept { $n_clusters_together } of the sets of near-duplicates together.
    }

finding-hidden-groups = File or folder names suggest { $n_groups ->
        [one] { $n_groups } group
       *[other] { $n_groups } groups
    } such as '{ $example }'. Images of the same group share { $shared ->
        [labels] labels
       *[appearance] size or brightness
    } far more than expected by chance. They may come from one patient, slide or field.
    .title = Groups in names
    .do = Find out what the names mean. If they name patients, slides or fields, define groups. Otherwise the results are too optimistic.
    .limit = Images with related names (such as '{ $example }') share { $shared ->
        [labels] labels
       *[appearance] size or brightness
    } far more than expected by chance, and no groups were defined. If they come from one patient, slide or field, test images resemble training images, and these results are not reliable.

finding-hidden-groups-divided = File or folder names suggest groups. A pattern finds { $n_groups ->
        [one] { $n_groups } group
       *[other] { $n_groups } groups
    }, but images of several of these groups have a name that contains '{ $unit }'. They may come from one patient, slide or field, which these groups would divide.
    .title = Groups in names
    .do = Find out what the names mean. If they name patients, slides or fields, define groups by a column or by a pattern that finds the same group for all names with '{ $unit }'. Otherwise the results are too optimistic.
    .limit = Images with related names (such as '{ $unit }') share { $shared ->
        [labels] labels
       *[appearance] size or brightness
    } far more than expected by chance, and no groups were defined. If they come from one patient, slide or field, test images resemble training images, and these results are not reliable.

finding-hidden-groups-in-column = The column '{ $column_name }' suggests { $n_groups ->
        [one] { $n_groups } group
       *[other] { $n_groups } groups
    } such as '{ $example }'.{ $has_other_columns ->
        [true] {" "}Other columns: { $other_columns }.
       *[false] { "" }
    } Images of the same group share { $shared ->
        [labels] labels
       *[appearance] size or brightness
    } far more than expected by chance. They may come from one patient, slide or field.
    .do = Find out what the column means. If it names patients, slides or fields, define groups. Otherwise the results are too optimistic.
    .limit = Images with the same value in the column '{ $column_name }' (such as '{ $example }') share { $shared ->
        [labels] labels
       *[appearance] size or brightness
    } far more than expected by chance, and no groups were defined. If they come from one patient, slide or field, test images resemble training images, and these results are not reliable.

finding-hidden-groups-confounded = { $is_column ->
        [true] The column '{ $column_name }' suggests
       *[false] File or folder names suggest
    } that each class is in one of { $n_groups } groups such as '{ $example }'. If they are patients, slides or batches, class and group cannot be distinguished, and the classifier may learn the group instead of the class.
    .do = Add images so that each class comes from several groups. Training cannot use these groups: no class could be in both training and test set.
    .limit = { $is_column ->
        [true] The column '{ $column_name }' suggests
       *[false] File or folder names suggest
    } that each class is in one of { $n_groups } groups such as '{ $example }'. If they are patients, slides or batches, class and group cannot be distinguished. These results cannot show whether the classifier recognizes the class.

finding-no-groups = No groups are defined. If several images come from one patient, slide or well, training and test set can both contain images of it, which inflates the results.
    .title = No groups
    .do = Define which images belong together, by a column of the table or a pattern in the names of files and folders; or state that each file is of another patient, slide or well.

finding-class-in-few-groups = { $names }: images from fewer than { $n_needed } groups. Such a class cannot be in training, validation and test set at the same time.
    .title = Classes of few groups
    .do = Add images of such a class from other groups, or exclude the class.

finding-few-groups = { $n_groups ->
        [one] There is only { $n_groups } group.
       *[other] There are only { $n_groups } groups.
    } Results depend strongly on which of them are in the test set, and confidence intervals will be wide and still approximate.{ $is_cross_validated ->
        [true] {" "}Training therefore uses cross-validation, which tests each group once.
       *[false] { "" }
    }
    .title = Few groups
    .do = { $is_cross_validated ->
        [true] Add images of other groups if you can.
       *[false] Use cross-validation, which tests each group once.
    }

finding-channel-files = { $n_files } files seem to be the channels of { $n } images (such as { $files }), but each file is read as a separate image. Training and test set can then contain channels of the same image.
    .title = Files that are channels
    .do = If they are channels, read the files of an image as its channels.
    .limit = Files seem to be channels of the same images, but each was read as a separate image. If so, the training set contains parts of test images.

finding-groups-divide-copies = { $n_clusters ->
        [one] { $n_clusters } set of duplicates is in several groups
       *[other] { $n_clusters } sets of duplicates are in several groups
    }{ $are_kept_together ->
        [true] . These groups are therefore kept in the same set.
       *[false] . There are so many that most groups would be merged into one. Therefore only images with equal pixels count as duplicates here, and the groups stay as they were defined.
    }
    .title = Duplicates in different groups
    .do = Check whether the groups are right.

finding-group-is-class = Each group contains only one class. The network could learn to distinguish the staining or exposure of the groups instead of the classes.
    .title = One class in each group
    .do = Add groups that contain several classes. They show whether the network learns the groups.

finding-no-signal = The images do not predict their labels. An instant classifier reaches a balanced accuracy of { NUMBER($balanced_accuracy, minimumFractionDigits: 2, maximumFractionDigits: 2) } on images that it was not fitted on; chance is { NUMBER($chance, minimumFractionDigits: 2, maximumFractionDigits: 2) } (p = { NUMBER($p, minimumFractionDigits: 2, maximumFractionDigits: 2) }).
    .title = Images do not predict the labels
    .do = Check that labels and images belong together. If they do, try more images or a fine-tuned network.
    .limit = Before training, no classifier predicted these labels better than chance.

finding-shortcut = A simple classifier predicts labels from { $from ->
        [border] the outermost eighth of the image
        [background] the brightness and grain of the background
        [size] width and height of the image
        [format] bit depth, channels and planes of the file
        [metadata] the metadata of the file (camera, program, resolution and compression)
       *[name] the file name (how it is written, its length and its last number, without the class itself)
    } alone. Its balanced accuracy is { NUMBER($balanced_accuracy, minimumFractionDigits: 2, maximumFractionDigits: 2) }. On the whole image, the same simple classifier reaches { NUMBER($whole_image, minimumFractionDigits: 2, maximumFractionDigits: 2) }, and a trained network usually more. Chance is { NUMBER($chance, minimumFractionDigits: 2, maximumFractionDigits: 2) }.
    .title = Labels predicted without the object
    .do = { $from ->
        [border] Check the edges for marks, scale bars, neighboring cells or illumination that differ between classes. A network may learn this instead of the object; it then fails on images without it.
        [background] Check whether classes were imaged on different days, slides or microscopes. A network may learn this instead of the object; it then fails on images without it.
        [size] Check whether classes were cropped or exported in different ways. A network may learn this instead of the object; it then fails on images without it.
        [format] Check whether classes were exported in different ways, and export them in the same way. A network may learn this instead of the object; it then fails on images without it.
        [metadata] Check whether classes were acquired or saved in different ways. Stronger compression, for example, is visible in pixels. A network may learn this instead of the object; it then fails on images without it.
       *[name] Check whether classes come from different sources or days, or were numbered one after the other. A network does not use names, but may use features of the images that differ with them.
    }
    .limit = { $from ->
        [name] Classes may come from different sources. The file names differ between them, and the images may differ too.
       *[border] The network may have learned this instead of the object. It then fails on images without it.
    }

finding-slight-shortcut =
    .title = Labels partly predicted without the object

finding-shortcut-batch = The images reveal their { $column }: within a class, it is predicted with a score of { NUMBER($visibility, minimumFractionDigits: 2, maximumFractionDigits: 2) }, where 0 is chance and 1 is always correct. Classes differ in { $column }: { $column } alone predicts them with a balanced accuracy of { NUMBER($balanced_accuracy, minimumFractionDigits: 2, maximumFractionDigits: 2) }. A simple classifier of the whole image reaches { NUMBER($whole_image, minimumFractionDigits: 2, maximumFractionDigits: 2) }, and chance is { NUMBER($chance, minimumFractionDigits: 2, maximumFractionDigits: 2) }.
    .do = Group the images by { $column } to test whether a network can do without it. If you can, image the classes together.
    .limit = The network may have learned the { $column } of the images instead of their class. It then fails on images of another { $column }.

finding-channel-order = { $n_images ->
        [one] { $n_images } file names
       *[other] { $n_images } files name
    } the channels in the order { $names }, others in the order { $usual }. { $are_chosen ->
        [true] Channels are read by their numbers, so that one input of the network contains several stains.
       *[false] Channels are reordered by their names.
    }
    .title = Channels in several orders
    .do = { $are_chosen ->
        [true] If the names are right, read the channels by their names.
       *[false] If the names are wrong, choose the channels by their numbers.
    }
    .limit = Files name the same channels in several orders. { $are_chosen ->
        [true] The classifier was trained on channels by their numbers, so that one input contains several stains.
       *[false] Channels were reordered by their names: wrong names exchange the stains.
    }

finding-other-channels = Files name different channels: { $names }. { $n_images ->
        [one] { $n_images } image differs
       *[other] { $n_images } images differ
    } from most images{ $n_unnamed ->
        [0] {""}
       *[other] , { $n_unnamed } of all without names
    }. Their channels are read by position, so that one input of the network can contain several stains.
    .title = Different channels
    .do = If these are the same stains under different names, check that all files have the same order. Otherwise, choose the channels for each image in a table, or exclude the images.
    .limit = Files named different channels, which were read by position: one input of the classifier can contain several stains.

finding-mixed-pixel-sizes = Pixel sizes differ by more than 10% ({ $counts }). { $differs_by_class ->
        [true] They differ between classes (medians: { $classes }), so that the pixel size gives the class away.
       *[false] The medians of the classes do not differ that much.
    }
    .title = Mixed pixel sizes
    .do = Check whether images come from several objectives or microscopes. Export all images with one pixel size, or train with images of one pixel size.
    .limit = { $differs_by_class ->
        [true] The network may have learned the magnification instead of the class. It then fails on images of another magnification.
       *[false] Images of several pixel sizes show objects at several scales.
    }

images-of-pixel-size = { $n_images } of { NUMBER($um, maximumSignificantDigits: 3) } µm

pixel-size-of-class = { $label } { NUMBER($um, maximumSignificantDigits: 3) } µm

finding-unlabeled = { $n ->
        [one] { $n } image without a label will be excluded.
       *[other] { $n } images without a label will be excluded.
    }
    .title = Images without a label
    .do = Label the images that the classifier should learn from.

finding-imbalance = The largest class has { NUMBER($ratio, maximumFractionDigits: 0) } times as many images as the smallest.
    .title = Unequal classes
    .do = Judge the classifier by balanced accuracy or macro-F1, and consider class weights in training.

finding-similar-group-names = { $n ->
        [one] The groups { $names } may be one group with several spellings. Its images
       *[other] Each of { $n } sets of groups may be one group with several spellings, such as { $names }. Images of one group
    } can then be in the training set and in the test set.
    .title = Similar group names
    .do = If they are one group, join them, or use one spelling in the table or in the names of files and folders.
    .limit = Groups with similar names may be one group (such as { $names }). If so, the training set contains images of groups of the test set, and metrics are too high.

finding-groups-may-divide = { $n ->
        [one] The names of the groups { $names } contain each other, so they may be one patient or slide. Its images
       *[other] The names of groups contain each other in { $n } sets, such as { $names }. Each set may be one patient or slide, and its images
    } can then be in the training set and in the test set.
    .title = Groups whose names contain each other
    .do = If they are one patient, slide or field, join them, or define groups by a column or by a pattern that finds the same group for all of them.
    .limit = Groups whose names contain each other may be one patient or slide (such as { $names }). If so, the training set contains images of groups of the test set, and metrics are too high.

finding-similar-class-names = The labels { $names } may be one class with several spellings.
    .title = Similar class names
    .do = If they are one class, merge them, or use one spelling in the names of the folders or in the label column of the table.

finding-several-planes = { $n ->
        [one] { $n } image has several planes.
       *[other] { $n } images have several planes.
    } The first plane is used unless the recipe names others.
    .title = Several planes
    .do = { $is_one_kind ->
        [true] If the first plane is not the relevant one, choose another plane. If each page shows a stain, read the pages as channels.
       *[false] If the first plane is not the relevant one, choose another plane.
    }
