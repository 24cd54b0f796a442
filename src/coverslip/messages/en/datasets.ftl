# Folders and tables of images: reading them, classes, groups, splits, and what pixels show of them.

## Fragments that other messages of this file contain.

did-you-mean = (did you mean '{ $name }'?)

is-it-column = (is it '{ $column }'?)

column-with-values = { $column } ({ $n_values ->
        [one] { $n_values } value
       *[other] { $n_values } values
    })

column-length = '{ $column }' has { $n_cells ->
        [one] { $n_cells } cell
       *[other] { $n_cells } cells
    }

images-of-class = { $n_images } of '{ $label }'

dataset-title = { $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    } in { $n_classes ->
        [one] { $n_classes } class
       *[other] { $n_classes } classes
    } from { $root }

## Folders

unread-format = { $n_files ->
        [one] { $n_files } file of { $format } cannot be read.
       *[other] { $n_files } files of { $format } cannot be read.
    } { $advice }

not-images = Files that are not images are ignored: { $suffixes }.

hidden-files = { $n_files ->
        [one] { $n_files } hidden file or system folder is ignored.
       *[other] { $n_files } hidden files or system folders are ignored.
    }

circular-links = { $n_links ->
        [one] { $n_links } link leads to a folder that is already listed and is ignored.
       *[other] { $n_links } links lead to folders that are already listed and are ignored.
    }

closed-folders = { $n_folders ->
        [one] { $n_folders } folder could not be opened: { $folders }.
       *[other] { $n_folders } folders could not be opened: { $folders }.
    }

empty-folders = { $n_folders ->
        [one] { $n_folders } folder contains no images: { $folders }.
       *[other] { $n_folders } folders contain no images: { $folders }.
    }

inner-class-folders = The class folders are the folders inside '{ $folder }'.

no-class-folder = { $n_images ->
        [one] { $n_images } image is in no class folder and therefore has no label: { $examples }.
       *[other] { $n_images } images are in no class folder and therefore have no label: { $examples }.
    }

image-folder-not-opened = The folder could not be opened: { $reason }
    .do = Check that you have permission to read it.

path-not-opened = The path cannot be opened: { $reason }
    .do = Check the path.

no-images = { $content ->
        [other-files] This folder contains no images, only other files: { $suffixes }
        [empty-folders] { $n_folders ->
            [one] This folder contains no images, only { $n_folders } empty folder
           *[other] This folder contains no images, only { $n_folders } empty folders
        }
        [hidden-files] { $n_hidden ->
            [one] This folder contains no images, only { $n_hidden } hidden file or folder
           *[other] This folder contains no images, only { $n_hidden } hidden files or folders
        }
       *[nothing] This folder is empty
    }
    .do = Give a folder that contains image files. Their names end in .png, .jpg, .tif or another image suffix. If the images are in an archive, unpack it first.

no-class-folders = { $n_images ->
        [one] This folder contains { $n_images } image but no class folders
       *[other] This folder contains { $n_images } images but no class folders
    }
    .do = Put the images of each class into a folder with the name of the class, or give a table with the columns path and label.

split-folders-without-classes = The folders { $folders } name parts of a split but contain no class folders
    .do = Inside each of them, put the images of each class into a folder with the name of the class.

## Sources

no-images-given = No images were given
    .do = { $is_labeled ->
        [true] Give a folder of class folders, or a table.
       *[false] Give images: files, folders, patterns such as `new/*.tif`, a table, or arrays.
    }

crop-size-out-of-range = The crop size { $crop_size } is neither a number of pixels from 4 to 10,000 nor a length in µm
    .do = Give the side of the square around each point, in pixels (80) or in µm (32um).

column-and-pattern = Both a group column and a group pattern were given
    .do = Give only one of them.

unequal-domains = { $n_domains ->
        [one] { $n_domains } domain
       *[other] { $n_domains } domains
    } for { $n_sources ->
        [one] { $n_sources } source
       *[other] { $n_sources } sources
    }
    .do = Name one domain for each source.

no-such-source = There is no such folder or table
    .do = { $advice }

no-such-file-or-folder = There is no such file or folder
    .do = { $advice }

no-image-exists = { $n_images ->
        [one] There is no such image
       *[other] None of { $n_images } images exists
    }
    .do = { $advice }

folder-does-not-exist = The folder '{ $folder }' does not exist either. Check the path.

did-you-mean-file = Did you mean '{ $name }'?

check-spelling = Check the spelling.

spreadsheet = Spreadsheets cannot be read
    .do = Save the sheet as CSV and give that file.

single-image = This is one image, not a folder of labeled images
    .do = Give the folder that contains the class folders, or a table with the columns path and label.

not-a-folder-or-table = '{ $name }' is neither a folder nor a table
    .do = Give a folder of class folders, or a table. The names of tables end in .csv or .tsv.

no-match = No image matches '{ $pattern }'
    .do = Check the folder and the suffix of the file names.

given-twice = { $n_images ->
        [one] { $n_images } image is given more than once and is used once.
       *[other] { $n_images } images are given more than once. Each is used once.
    }

two-values-of-sources = This image has the { $meaning ->
        [label] label
        [group] group
       *[other] set
    } '{ $first_value }' in the source '{ $first_source }' and '{ $value }' in '{ $source }'
    .do = { $meaning ->
        [group] Choose a column of groups that agrees in all sources, or remove the image from one of them.
       *[other] Correct one of the two, or remove the image from one of the sources.
    }

named-twice = { $n_images ->
        [one] { $n_images } image is named by more than one source and is counted once.
       *[other] { $n_images } images are named by more than one source. Each is counted once.
    }

shared-groups = Groups with the same name in several sources count as one group: { $groups }.

repeated-names = { $n_names ->
        [one] { $n_names } image name belongs to more than one row. The file or a number is added to it: { $names }.
       *[other] { $n_names } image names belong to more than one row each. The file or a number is added to them: { $names }.
    }

table-beside = The folder also contains the table '{ $table }' with the columns { $columns }. It is not used. To use its labels and groups, give the table itself.

## Groups

folder-has-no-columns = '{ $group }' was given as the group column, but a folder has no columns
    .do = { $has_table ->
        [true] Give the table '{ $table }' in this folder, which has that column, or a pattern that finds the group in the path of an image.
       *[false] Give a table with that column, or a pattern that finds the group in the path of an image.
    }

invalid-pattern = The group pattern '{ $pattern }' is not a regular expression: { $reason }
    .do = Correct the pattern. For names like slide07_cell3.png, write slide[0-9]+.

pattern-misses = { $n_images ->
        [one] The group pattern does not match { $n_images } image: { $names }. It has no group.
       *[other] The group pattern does not match { $n_images } images: { $names }. They have no group.
    }

pattern-matches-nothing = { $n_paths ->
        [one] The group pattern '{ $pattern }' does not match the only path, '{ $path }'
       *[other] The group pattern '{ $pattern }' matches none of { $n_paths } paths. The first path is '{ $path }'
    }
    .do = Correct the pattern. coverslip searches it in paths like that one, relative to the folder.

grouped = Groups are taken from the column '{ $column }'.{ $has_others ->
        [true] {" "}Other columns that may name groups: { $others }.
       *[false] { "" }
    }

not-grouped = The table has columns that may name groups: { $columns }. No group column was chosen, so training and test set can both contain images of the same { $first }, which inflates the results. Choose a group column.

few-fields = The table gives { $n_images ->
        [one] { $n_images } crop
       *[other] { $n_images } crops
    } of { $n_fields ->
        [one] { $n_fields } field of view
       *[other] { $n_fields } fields of view
    }, which are too few fields to keep each of them in one set. Training and test set both contain crops of the same field, which inflates the numbers.

grouped-by-field = The table gives { $n_images ->
        [one] { $n_images } crop
       *[other] { $n_images } crops
    } of { $n_fields ->
        [one] { $n_fields } field of view
       *[other] { $n_fields } fields of view
    }. All crops of a field stay in the same set. If several fields come from one slide or patient, group by that instead.

## Tables as files

table-too-large = The table is larger than { $limit_gib } GiB, so it is not a list of images
    .do = Keep only the columns that name and label the images, or divide the table into several tables.

table-not-read = The table could not be read: { $reason }
    .do = Check its name and that you have permission to read it.

rows-too-long = { $n_rows ->
        [one] { $n_rows } row of the table has more cells than the header has columns (line { NUMBER($line, useGrouping: 0) })
       *[other] { $n_rows } rows of the table have more cells than the header has columns (the first is line { NUMBER($line, useGrouping: 0) })
    }
    .do = Put a cell that contains the separator in quotation marks. If commas separate cells, write numbers with decimal points.

no-header = The table '{ $table }' has no line of column names. Its columns are named column 1, column 2, ...

no-table-rows = The table has no rows
    .do = Add one row per image.

empty-table = The table is empty
    .do = Add a line with the names of the columns, and one row per image.

invalid-table-line = The table cannot be read from line { NUMBER($line, useGrouping: 0) } on: { $reason }
    .do = Correct that line. Put a cell that contains a quotation mark in quotation marks, and write the mark in it twice.

unquoted-quotation-mark = a quotation mark is in a cell that is not quoted

row-in-quoted-cell = a quoted cell contains another row of the table

unclosed-quotation-mark = a quotation mark is never closed

text-after-quotation-mark = text follows a closing quotation mark

perhaps-unclosed-quotation-mark = { $reason }; is a quotation mark never closed?

row-too-long = the row has more than { $n_characters } characters

not-a-text-table = This file is not a text table
    .do = Save it as CSV (comma-separated values).

unknown-encoding = Line { NUMBER($line, useGrouping: 0) } of the table is neither UTF-8 nor Windows-1252, so its letters are not known
    .do = Save the table again as "CSV UTF-8".

mixed-encodings = Line { NUMBER($utf8_line, useGrouping: 0) } of the table is UTF-8, but line { NUMBER($line, useGrouping: 0) } is not, so that a name can be written in two ways
    .do = Put the parts of the table together in a spreadsheet program, correct accented letters, and save as "CSV UTF-8".

not-utf-8 = The table '{ $table }' is not UTF-8. coverslip reads it as Windows-1252.

## Columns of tables

unknown-meaning = '{ $meaning }' is not a meaning for which a column can be chosen{ $hint }
    .do = Choose columns for { $meanings }.

unknown-column = The table has no column '{ $column }'{ $hint }
    .do = Its columns are { $columns }.

unknown-group-column = The table has no column '{ $column }' to group by{ $hint }
    .do = Its columns are { $columns }.

path-column = Paths are taken from the column '{ $column }', which names image files.

predictions-without-labels = This is a table of predictions without labels. Predicted classes are not labels
    .do = Fill its column `label` with the true classes. Or predict the images in the app, correct the predictions there, and train with the corrected predictions.

channel-columns = The table names files in one column, so its columns channel_1, channel_2, ... are ignored.

gap-in-channel-columns = The columns of the channel files are not numbered consecutively
    .do = Name them channel_1, channel_2, and so on, without a gap.

duplicate-column = { $n_columns ->
        [one] The table has { $n_columns } column named '{ $column }'
       *[other] The table has { $n_columns } columns named '{ $column }'
    }
    .do = Remove all but one of them, or rename them.

no-labels-given = The images were given without labels
    .do = Give the images and their labels in one table: {"{"}'image': images, 'label': labels{"}"}.

single-column-table = The table has only one column, '{ $column }'
    .do = Separate the columns by commas, semicolons or tabs, and name them in the first line: path,label.

missing-column = { $meaning ->
        [path] The table has no column for the paths of the images{ $hint }. Its columns are { $names }
       *[label] The table has no column for the labels{ $hint }. Its columns are { $names }
    }
    .do = Choose the column, or name it “{ $meaning }” in the header.

row-without-one-class = { $n_ones ->
        [0] The table has no column for the labels. Columns with 0 and 1 can be one column for each class ({ $names }), but { $place } has a 1 in none of them
       *[other] The table has no column for the labels. Columns with 0 and 1 can be one column for each class ({ $names }), but { $place } has a 1 in { $n_ones } of them
    }
    .do = If they are classes, each row needs exactly one 1: correct these rows. Otherwise, choose the column of the labels, or add a column `label`.

labels-of-class-columns = The table has one column for each class. Its { $n_classes } classes are { $names }.

missing-box-column = The table gives boxes without the column '{ $column }'
    .do = A box takes x, y, width and height in pixels; or x_center, y_center, width and height; or x_min and y_min with x_max and y_max, or with width and height. Choose these columns, or state that the others are not used (`x=`).

points-without-crop-size = The table gives points ({ $names }) without a crop size
    .do = { $has_suggestion ->
        [true] Give the side of the square that is cut out around each point, in pixels. { $suggested } pixels fit the distances between these points.
       *[false] Give the side of the square that is cut out around each point, in pixels.
    }

positions-in-micrometers = The columns { $x } and { $y } give positions in micrometers, not in pixels
    .do = Export positions in pixels, or divide them by the pixel size, and name their columns x and y.

## Rows of tables

invalid-rows = { $n_rows ->
        [one] { $n_rows } row
       *[other] { $n_rows } rows
    } of the table could not be read: { $rows }{ $has_more ->
        [true] ; ...
       *[false] { "" }
    }
    .do = Correct these rows and run the command again.

invalid-row = { $place }: { $fault }

table-line = line { NUMBER($line, useGrouping: 0) }

table-row = row { NUMBER($row, useGrouping: 0) } (from 0)

path-empty = the path is empty

second-label = { $has_box ->
   *[false] '{ $path }' has the label '{ $label }' here and '{ $first_label }' in { $place }. An image has one label: correct one of the rows or remove it
    [true] the box { $box } (x, y, width, height) of '{ $path }' has the label '{ $label }' here and '{ $first_label }' in { $place }. An object has one label: correct one of the rows or remove it
}

excluded-and-used = '{ $image }' is excluded here, but another row uses this image. Remove one of the rows

multi-line-cell = the cell in column '{ $column }' spans several lines (is there a stray quotation mark?)

unknown-split-value = split '{ $value }' is none of train, val, test, excluded{ $hint }

channel-file-empty = channel_{ $channel } is empty

not-a-z-plane = z '{ $value }' is not a whole number of 0 or more, nor 'max', 'mean', 'best-focus' or 'channels'

point-below-one = { $x } and { $y } are below 1, as shares of the width and height of the image; give them in pixels, or name them { $x }_relative and { $y }_relative

not-a-count = { $column } '{ $value }' is not a whole number of 0 or more

not-a-pixel-size = { $column } '{ $value }' is not a length of a pixel in µm, such as 0.325

not-channels = channels '{ $value }' names no channel (separate several numbers by spaces, several names by commas)

cell-not-a-number = { $column } '{ $value }' is not a number

ambiguous-decimal-commas = The numbers in column '{ $column }' are ambiguous: '{ $value }' can be { $decimal } or { $thousands }
    .do = Save the table with decimal points, or without commas between thousands.

mixed-decimal-signs = Column '{ $column }' contains numbers with commas ('{ $value }') and numbers with points ('{ $other }')
    .do = Save the table with the same decimal sign in all numbers, and without signs between thousands.

several-endings = '{ $value }' fits several files: { $names }. Write the name with its ending

several-unicode-forms = '{ $value }' fits several names that differ only in the Unicode form of their accents: { $names }. Rename one of them

corners-too-close = { $x_max } and { $y_max } must be at least 1 pixel greater than { $x_min } and { $y_min }

rows-without-box = { $n_rows ->
        [one] { $n_rows } row has no box, so that its image is the whole file
       *[other] { $n_rows } rows have no box, so that their images are whole files
    }: { $rows }

box-with-empty-cells = some cells of the box are empty ({ $columns })

unread-time-column = Rows of the same file have different numbers in the column '{ $column }', which is not read as the time point
    .do = Choose this column as t. If all rows are of the first time point, choose no column as t.

box-too-small = { $width } and { $height } must be 1 pixel or more

all-rows-excluded = Every row of the table says 'excluded'
    .do = Keep some images in the table.

repeated-rows = { $n_rows ->
        [one] { $n_rows } row of the table repeats an earlier one and is ignored.
       *[other] { $n_rows } rows of the table repeat earlier ones and are ignored.
    }

excluded-rows = { $n_images ->
        [one] { $n_images } image was
       *[other] { $n_images } images were
    } excluded by users ('excluded' in the table).

other-split-values = { $n_rows ->
        [one] The split of { $n_rows } row of the table is ignored
       *[other] The splits of { $n_rows } rows of the table are ignored
    }: { $values }. Only 'excluded' matters here.

rows-without-group = { $n_rows ->
        [one] { $n_rows } row has no value in the column '{ $column }' and has no group.
       *[other] { $n_rows } rows have no value in the column '{ $column }' and have no group.
    }

no-file-exists = { $n_files ->
        [one] The file that the table names does not exist: coverslip looked for '{ $cell }' at '{ $path }'
       *[other] None of the { $n_files } files that the table names exists: coverslip looked for '{ $cell }' at '{ $path }'
    }
    .do = { $is_in_current_folder ->
        [true] The paths are correct from the current folder, but they must start from the folder of the table. Move the table.
       *[false] { $has_folder ->
            [true] The folder '{ $folder }' contains '{ $name }'. Paths in a table are absolute or start from the folder of the table. Move the table to that folder, or write '{ $folder }/' before the names.
           *[false] Paths in a table are absolute or start from the folder of the table. Move the table or correct the paths.
        }
    }

## Images in memory

not-an-array-of-numbers = '{ $name }' is an array of { $dtype }, not of numbers
    .do = Give whole numbers or floats.

array-in-cell = A cell of the table is an array of several values, of shape { $shape }: { $value }
    .do = Give one value for each image, such as the number or the name of its class.

not-decoded = '{ $name }' cannot be decoded: { $reason }
    .do = Exclude it, or give the path of the file.

no-pixels = '{ $name }' has no pixels: its shape is { $shape }
    .do = Exclude it.

wrong-axes = '{ $name }' would have { $n_channels } channels and { $height } x { $width } pixels
    .do = If the channels are on another axis, give axes='{ $axes }'. For a stack of gray images, give list(stack).

values-out-of-range = '{ $name }' is an array of { $dtype } with values from { $low } to { $high }, but { $depth } pixels are 0 to { $highest }
    .do = Rescale it, or convert it to float32.

not-a-stack = An array of { $n_axes } axes is not a stack of images
    .do = Give a folder, a table or an image by its path, an array, a Pillow image, a data frame, or several in a list.

not-images-in-memory = Images cannot be taken from an object of type { $type_name }
    .do = Give a folder, a table or an image by its path, an array, a Pillow image, a data frame, or several in a list.

unsupported-item = Item { $index } is neither a path nor an image: { $item }
    .do = Give a folder, a table or an image by its path, an array, a Pillow image, a data frame, or several in a list.

x-without-images = The X of (X, y) is of type { $type_name }
    .do = Give a list or a stack of images.

unequal-labels = (X, y) contains { $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    } and { $n_labels ->
        [one] { $n_labels } label
       *[other] { $n_labels } labels
    }
    .do = Give one label for each image.

unequal-columns = The columns of the table differ in length: { $columns }
    .do = Give each image a row.

images-and-paths = The table has both images and paths: { $columns }
    .do = Remove all but one of these columns.

## Channels in separate files

channel-files = { $n_files ->
        [one] { $n_files } file with { $marks } in its name is a channel
       *[other] { $n_files } files with { $marks } in their names are the channels
    } of { $n_images ->
        [one] { $n_images } image.
       *[other] { $n_images } images.
    }

no-channel-mark = { $n_images ->
        [one] { $n_images } file has no such mark in its name and is read as a separate image: '{ $example }'.
       *[other] { $n_images } files have no such mark in their names and are read as separate images (first: '{ $example }').
    }

unlike-channel-labels = { $n_images ->
        [one] The channels of { $n_images } image have different labels. The label of the first channel is used.
       *[other] The channels of { $n_images } images have different labels. The label of the first channel is used.
    }

## Classes

class-merged = merged into '{ $name }'

class-excluded = excluded

class-renamed = renamed to '{ $name }'

class-changed-twice = '{ $label }' is { $changes }; use only one of these changes

rename-to-merged = '{ $label }' is renamed to '{ $name }', into which other classes are merged; add it to that merge

several-renamed = { $labels } are all renamed to '{ $name }'; to merge them, use { $merge }

new-name-excluded = '{ $name }' is excluded and is also a new name; choose another new name

new-name-changed = '{ $name }' is a new name and itself becomes '{ $new_name }'; choose another new name

order-repeats-class = '{ $name }' is in order { $n_times } times

order-has-excluded-class = '{ $name }' is in order and is excluded

order-has-old-name = '{ $name }' is in order, but becomes '{ $new_name }'; use that name

no-image-of-class = { $key } names '{ $name }', but no image has this label{ $hint }

class-exists = there is already a class '{ $name }'; to merge the classes, write { $merge }

order-names-no-class = classes.order names '{ $name }', which is not one of the classes{ $hint }

too-few-classes-left = { $n_classes ->
        [0] after classes.merge and classes.drop, no class is left
       *[other] after classes.merge and classes.drop, only { $classes } is left
    }

classes-do-not-fit = The classes of the recipe do not fit the images: { $mismatches }
    .do = { $has_classes ->
        [true] The images have the classes { $classes }.
       *[false] No image has a label.
    }

shared-classes = Several domains ({ $domains }) have classes with the same name, which count as one class: { $names }. If they are different classes, rename those of one domain, or keep the classes of each domain separate.

## Reading

reading = { $n_images ->
        [one] { $n_images } image: { $reason }
       *[other] { $n_images } images: { $reason }
    }

unreadable = { $n_images ->
        [one] { $n_images } image could not be read.
       *[other] { $n_images } images could not be read.
    }

image-changed = The image has changed since it was scanned
    .do = Run the command again. If the error remains, empty that part of the cache first.

no-memory-for-image = There is not enough memory for this image
    .do = Crop it, or use a larger computer.

channel-facts-differ = The files of its channels differ in size or depth

image-not-reached = It was not reached

## Images that cannot be used

dropped = { $n_images ->
        [one] { $n_images } image is excluded because the recipe excludes its class: { $classes }.
       *[other] { $n_images } images are excluded because the recipe excludes their classes: { $classes }.
    }

excluded = { $reason ->
        [unreadable] { $n_images ->
            [one] { $n_images } image is excluded because it could not be read.
           *[other] { $n_images } images are excluded because they could not be read.
        }
        [no-label] { $n_images ->
            [one] { $n_images } image is excluded because it has no label.
           *[other] { $n_images } images are excluded because they have no label.
        }
       *[conflicting-labels] { $n_images ->
            [one] { $n_images } image is excluded because it has the same pixels as an image with another label.
           *[other] { $n_images } images are excluded because they have the same pixels as an image with another label.
        }
    }

no-usable-image = { $n_images ->
        [one] The only image cannot be used: { $reason }
       *[other] None of { $n_images } images can be used: { $reason }
    }
    .do = Inspect the dataset. Its findings give the reasons.

none-readable = { $n_images ->
        [one] The only image could not be read: { $reason }
       *[other] None of { $n_images } images could be read (the first: { $reason })
    }
    .do = Check that these are image files. Inspecting the dataset lists each file with its reason.

no-images-in-dataset = There are no images
    .do = Add images to the dataset.

## Training, validation and test set

no-training-share = split.val = { NUMBER($val, maximumFractionDigits: 3) } and split.test = { NUMBER($test, maximumFractionDigits: 3) } leave no images for training
    .do = Make both smaller than 1, and their sum too.

leakage = { $n_leaks ->
        [one] The predefined split has { $n_leaks } group or image in several sets. Test results will be too optimistic.
       *[other] The predefined split has { $n_leaks } groups or images in several sets. Test results will be too optimistic.
    }

leak-of-groups = { $n ->
        [one] { $n } group
       *[other] { $n } groups
    }

leak-of-pixels = { $n ->
        [one] { $n } image with equal pixels
       *[other] { $n } images with equal pixels
    }

leak-of-near-duplicates = { $n ->
        [one] { $n } set of near-duplicates
       *[other] { $n } sets of near-duplicates
    }

leak-of-chains = { $n ->
        [one] { $n } chain of groups and duplicates
       *[other] { $n } chains of groups and duplicates
    }

leaking-images = { $relation ->
        [group] group '{ $group }' in { $first } ('{ $first_image }') and { $second } ('{ $second_image }')
        [pixels] the same pixels in { $first } ('{ $first_image }') and { $second } ('{ $second_image }')
        [copies] near-duplicates in { $first } ('{ $first_image }') and { $second } ('{ $second_image }')
       *[chain] images connected by groups and duplicates in { $first } ('{ $first_image }') and { $second } ('{ $second_image }')
    }

leaking-split = The predefined split has { $leaks } in several sets: { $examples }{ $has_more ->
        [true] ; ...
       *[false] { "" }
    }
    .do = Move them to one set, let coverslip split the images, or keep the split (the metrics will be too optimistic).{ $grouping }

predefined-set-excluded = { $has_domain ->
        [true] { $domain }: no
       *[false] No
    } image of the predefined { $set ->
        [val] validation set
       *[test] test set
    } can be used: they cannot be read, have no label or the same pixels as images with other labels, or the recipe excludes them
    .do = Correct these images or labels, or remove the predefined set so that coverslip takes one from the training images.

without-part = { $n_images ->
        [one] { $n_images } image without a set in the predefined split joins the training set, or the set of its group or duplicates.
       *[other] { $n_images } images without a set in the predefined split join the training set, or the set of their group or duplicates.
    }

part-taken = { $has_domains ->
        [true] The predefined split of { $domains } has no { $missing ->
            [val] validation set. It is
            [test] test set. It is
           *[val-and-test] validation set and no test set. They are
        }
       *[false] The predefined split has no { $missing ->
            [val] validation set. It is
            [test] test set. It is
           *[val-and-test] validation set and no test set. They are
        }
    } taken from the training set.

uneven-parts = { $has_groups ->
        [true] There are few groups, or groups of unequal size
       *[false] There are few images, or images that must stay together
    }, so training, validation and test set contain { $reached } % of the images instead of { $requested } %.

untrained-classes = { $n_images ->
        [one] { $n_images } image is excluded because the training set has no image of its class: { $names }.
       *[other] { $n_images } images are excluded because the training set has no image of their class: { $names }.
    }

missing-part = { $subject ->
        [class] Class '{ $name }' has no
       *[domain] Domain '{ $name }' has no
    } { $missing ->
        [val] validation images
        [test] test images
       *[val-and-test] validation images and no test images
    }: { $reason ->
        [few-groups] its { $n_images ->
            [one] { $n_images } image makes up
           *[other] { $n_images } images make up
        } { $n_units ->
            [one] { $n_units } group
           *[other] { $n_units } groups
        }, but { $n_parts } are needed to be in every set
        [few-images] its { $n_images ->
            [one] { $n_images } image makes up
           *[other] { $n_images } images make up
        } { $n_units ->
            [one] { $n_units } distinct image
           *[other] { $n_units } distinct images
        }, but { $n_parts } are needed to be in every set
        [predefined-split] the predefined split has none there
       *[groups] no division of the groups puts all of them in every set
    }. { $is_tested ->
        [true] Validation does not include it.
       *[false] Its metrics cannot be computed.
    }

more-missing-parts = { $n ->
        [one] { $n } more class or domain is not in every set.
       *[other] { $n } more classes or domains are not in every set.
    }

too-few-groups = { $n_images ->
        [one] { $n_images } usable image belongs to
       *[other] { $n_images } usable images belong to
    } { $n_units ->
        [one] { $n_units } separate group
       *[other] { $n_units } separate groups
    } ({ $groups }), but { $n_parts } are needed. A group must not be in training and test set at the same time
    .do = Add images of other groups, or define smaller groups.

too-few-separate-groups = { $n_images ->
        [one] { $n_images } usable image belongs to
       *[other] { $n_images } usable images belong to
    } { $n_units ->
        [one] { $n_units } separate group
       *[other] { $n_units } separate groups
    } ({ $n_groups } named groups, connected by duplicates), but { $n_parts } are needed. A group must not be in training and test set at the same time
    .do = Add images of other groups, define smaller groups, or exclude duplicates (such as blank images) that connect groups.

too-few-distinct-images = { $n_images ->
        [one] { $n_images } usable image shows
       *[other] { $n_images } usable images show
    } { $n_units ->
        [one] { $n_units } distinct image
       *[other] { $n_units } distinct images
    }, but { $n_parts } are needed, one for each set
    .do = Add images. Start with a few dozen of each class.

too-few-classes = A classifier needs two classes, but there are usable training images of { $n_usable ->
        [0] no class
       *[other] only one class, '{ $label }'
    }{ $is_of_several ->
        [true] {" "}(of { $n_classes } in the dataset)
       *[false] { "" }
    }
    .do = { $is_of_several ->
        [true] Inspect the dataset. Its findings give the reasons why the other classes cannot be used.
       *[false] Add images of another class. Put each class into a separate folder.
    }

class-name-is-a-decision = A class cannot have the name '{ $label }'. In predictions, that word means that no class was assigned
    .do = Rename the class, for example with classes.rename in the recipe.

confounded-groups = { $are_classes ->
        [true] The groups are the classes themselves ({ $groups })
       *[false] Each class is in a single group ({ $groups })
    }
    .do = A group is used either for training or for testing, so no class could be both trained on and tested. Group by something that several classes share, such as the patient or slide, or train without groups.

class-without-training-images = { $n_classes ->
        [one] The training set has no image of the class { $names }
       *[other] The training set has no image of { $n_classes } classes: { $names }
    }
    .do = Exclude such classes, or add training images of them that can be read.

empty-set = { $set ->
        [train] There are no images for the training set
        [val] There are no images for the validation set
       *[test] There are no images for the test set
    }
    .do = Give that set a share above 0 and enough images (without a predefined split, at least three groups).

## Folds

capped = { $n_images ->
        [one] { $n_images } training image is excluded on request. Training uses at most { $n_per_class } of each class.
       *[other] { $n_images } training images are excluded on request. Training uses at most { $n_per_class } of each class.
    }

balanced-before-split = { $n_images ->
        [one] { $n_images } image is excluded before the split, on request, so that each class has { $n_per_class }. The test set therefore does not have the class proportions of the dataset.
       *[other] { $n_images } images are excluded before the split, on request, so that each class has { $n_per_class }. The test set therefore does not have the class proportions of the dataset.
    }

folds-not-possible = There are few images or groups, but cross-validation is not possible: { $reason }.

small-test-set = The test set will contain only about { $n_tested } of the { $n_units } { $unit ->
        [image] images
       *[group] separate groups
    }. Cross-validation tests each of them once and takes about { $factor } times as long.

folds = A single test set would contain only about { $n_tested } of the { $n_units } { $unit ->
        [image] images
       *[group] separate groups
    }. Therefore, cross-validation with { $n_folds } folds tests each of them once. To test only a part of them, request a single split.

too-few-for-folds = { $n_images ->
        [one] { $n_images } usable image makes up
       *[other] { $n_images } usable images make up
    } { $has_groups ->
        [true] { $n_units ->
            [one] { $n_units } separate group
           *[other] { $n_units } separate groups
        }
       *[false] { $n_units ->
            [one] { $n_units } distinct image
           *[other] { $n_units } distinct images
        }
    }, but { $n_folds } folds need { $n_needed }
    .do = { $is_enough_for_fewer ->
        [true] Use { $n_units } folds, or add images.
       *[false] Add images. Start with a few dozen of each class.
    }

fold-with-one-unit = { $has_groups ->
        [true] One of { $n_folds } folds would leave only 1 of { $n_units } separate groups for training
       *[false] One of { $n_folds } folds would leave only 1 of { $n_units } distinct images for training
    }
    .do = Try another number of folds, add images of other groups, or use a single split.

fold-not-trainable = { $has_groups ->
        [true] One of { $n_folds } folds would have a single class for training, or no validation images, because classes are in too few of { $n_units } separate groups
       *[false] One of { $n_folds } folds would have a single class for training, or no validation images, because classes are in too few of { $n_units } distinct images
    }
    .do = Try another number of folds, add images of other groups, or use a single split.

single-domain = There is only one domain, so none can be held out
    .do = Give several folders, or a table with the column 'domain'; or split by images or groups.

domain-not-trainable = Without the domain { $domain }, only a single class is left for training, or no validation images
    .do = Domains must share classes. Rename classes that are the same, or train on each domain separately.

folds-of-predefined-split = The images have a predefined split, which cross-validation would not follow
    .do = Train by that split, without folds, or open the images without it.

not-measured = { $n_images ->
        [one] { $n_images } image cannot be tested because its fold has
       *[other] { $n_images } images cannot be tested because their fold has
    } no training image of the class ({ $has_groups ->
        [true] a class needs two groups
       *[false] a class needs two distinct images
    }): { $classes }. The numbers do not include { $n_images ->
        [one] it.
       *[other] them.
    }

## Distances between datasets

one-dataset = A distance needs two datasets
    .do = Give another dataset.

too-few-images-for-distance = { $n_images ->
        [one] '{ $name }' has { $n_images } readable image
       *[other] '{ $name }' has { $n_images } readable images
    }
    .do = Add images. A distance needs { $n_needed } of each dataset, and is imprecise below 100.

datasets-look-the-same = Most images of these datasets have the same features
    .do = Check whether the images are empty or duplicates of one another.

map-needs-images = { $n_images ->
        [0] No image can be read, so there is no map
        [one] Only { $n_images } image can be read, but a map needs { $n_needed }
       *[other] Only { $n_images } images can be read, but a map needs { $n_needed }
    }
    .do = Add images to the dataset.

no-image-to-suggest = All images have a label{ $n_reserved ->
        [0] {""}
       *[other] , or are reserved for the test set ({ $n_reserved })
    }
    .do = Add images without a label.

no-readable-image-to-suggest = No image without a label can be read
    .do = Check whether the files are complete images.

no-live-image = There is no image { $name }
    .do = Use an ID or a path of `live.predict()`.

live-one-class = { $n ->
        [0] no image outside the test set has a label: label images of two classes
       *[other] only { $name } has labels outside the test set: label an image of a second class
    }

live-of-test = { $is_test ->
        [true] an image of the test set shows no prediction until it has a label
       *[false] a copy of a test image, or an image of its group, shows no prediction
    }

no-number-of-suggestions = The number of images to suggest must be at least 1, but is { $n }
    .do = Enter a number such as 20.

suggestion-typical = { $n_images ->
        [one] represents itself only
       *[other] represents about { $n_images } similar images
    }

suggestion-undecided = between { $first } and { $second }

images-in-both-datasets = { $n_images ->
        [one] { $n_images } image of '{ $first }' is also in '{ $second }', which makes
       *[other] { $n_images } images of '{ $first }' are also in '{ $second }', which makes
    } the datasets seem more similar than they are. The distance, its interval and p are valid for datasets that share no image.

meaning-of-distances = The distances show how differently a network represents datasets. Among 30 pairs of six datasets, they did not predict the gain of pretraining on the other dataset. To measure this gain, train with and without pretraining on the same split.

## Label errors and learning curves

labels-of-unfinished-training = The training is not complete
    .do = Wait until it is complete, or resume it.

learning-curve-few-groups = { $n_groups ->
        [one] there is only { $n_groups } group for training and validation
       *[other] there are only { $n_groups } groups for training and validation
    }, but { $n_needed } are needed

learning-curve-few-images = { $n_images ->
        [one] there is only { $n_images } image
       *[other] there are only { $n_images } images
    } of { $n_classes } classes for training and validation, but { $n_needed } of each class are needed

## Readings

reader-of-labels = labels of the dataset

readings-without-columns = This is no table of readings: it needs the columns label and image_id or path. Its columns are { $columns }
    .do = Name the columns in the first line.

readings-without-group = The table has no column '{ $column }'
    .do = Name the column that has the group of each image.

readings-without-image = Line { $line } names no image
    .do = Fill in the column image_id of all rows and tables, or the column path of all of them.

readings-of-one-image = { $reader } has two different labels for { $image }
    .do = Keep one of them, or name the reader of each in the column author.

readings-of-two-groups = { $image } is of the group { $first } in one table, and of { $second } in another row or table
    .do = Correct the group of the image, so that it is the same in all tables.

readings-not-shared = { $n_readers ->
        [one] There is only one reader, so there is nothing to compare
       *[other] No image has labels of two readers
    }
    .do = Add the labels of another reader for the same images. Images are the same if their image_id, or else their path, is equal.

file-fact-range = { $low } to { $high } { $unit }, median { $median }

file-fact-width = width

file-fact-height = height

file-fact-pixel-size = pixel size

file-fact-without-pixel-size = ({ $n_images ->
        [one] { $n_images } image without
       *[other] { $n_images } images without
    } a known pixel size)

file-fact-format = format

file-fact-bit-depth = bit depth

file-fact-channels = channels

file-fact-planes = planes

file-fact-predefined-split = predefined split
