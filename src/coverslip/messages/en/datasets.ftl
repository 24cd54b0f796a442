# Folders and tables of images: reading them, labels, groups.

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

invalid-rows = { $n_rows ->
        [one] { $n_rows } row
       *[other] { $n_rows } rows
    } of the table could not be read: { $rows }{ $has_more ->
        [true] ; ...
       *[false] { "" }
    }
    .do = Correct these rows and run the command again.

all-rows-excluded = Every row of the table says 'excluded'
    .do = Keep some images in the table.

repeated-rows = { $n_rows ->
        [one] { $n_rows } row of the table repeats an earlier one and is ignored.
       *[other] { $n_rows } rows of the table repeat earlier ones and are ignored.
    }

excluded-rows = { $n_images ->
        [one] { $n_images } image was
       *[other] { $n_images } images were
    } excluded by hand ('excluded' in the table).

rows-without-group = { $n_rows ->
        [one] { $n_rows } row has no value in the column '{ $column }' and is a group of its own.
       *[other] { $n_rows } rows have no value in the column '{ $column }'. Each is a group of its own.
    }
