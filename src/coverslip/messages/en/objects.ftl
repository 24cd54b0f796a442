# Objects in fields of view: masks, outlines and points of other programs, and exports for them.

## Fields

no-readable-field = { $n_files ->
        [one] The field cannot be read
       *[other] None of the { $n_files } fields can be read
    }
    .do = The warnings name the reasons.

field-unreadable = The field { $field } is skipped, because it cannot be read. { $reason }

field-not-measured = The intensities of the objects in the field { $field } are not measured. { $reason }

more-fields-unreadable = { $n_fields ->
        [one] One more field cannot be read.
       *[other] { $n_fields } more fields cannot be read.
    }

pattern-part-reserved = The pattern names a part '{ $part }', which is a column of tables of objects
    .do = Choose another name. The part 'group' is the group.

object-files-no-fields = { $n_files ->
        [one] One file is not used as a field, because its name is that of a field with an ending such as '_masks'.
       *[other] { $n_files } files are not used as fields, because their names are those of fields with an ending such as '_masks'.
    }

no-field-of-name = No field has the name of any of these: { $names }
    .do = Use the name of the field, with or without an ending such as '_masks'. The fields are { $fields }.

ambiguous-field-names = Several fields have the same name: { $names }
    .do = Use the same subfolders for the fields and for their objects.

two-files-of-field = Two files contain the objects of the field { $field }: this file and { $other }
    .do = Choose one of them, or remove the other.

field-as-mask = The file is a field itself, not a label image
    .do = Choose the label images. Those of an OME-Zarr are in its folder 'labels', and its metadata list them.

no-such-object-file = There is no such file or folder
    .do = Check the spelling.

no-object-files = { $is_image ->
        [true] The folder is an image, not a folder of files with objects
       *[false] The folder contains no file with the ending { $suffixes }
    }
    .do = { $is_image ->
        [true] The label images of an OME-Zarr are masks, not outlines.
       *[false] Choose the folder with the files of the objects.
    }

no-object-source = { $n_sources ->
        [0] No source of objects is chosen
       *[other] { $n_sources } sources of objects are chosen
    }
    .do = Choose one of masks, outlines, points and a finder.

objects-without-field = { $n_names ->
        [one] One name matches no field, so its objects are not used: { $names }.
       *[other] { $n_names } names match no field, so their objects are not used: { $names }.
    }

objects-of-several-fields = { $n_names ->
        [one] One name matches several fields, so its objects are not used: { $names }.
       *[other] { $n_names } names match several fields, so their objects are not used: { $names }.
    }

objects-without-z = { $n_fields ->
        [one] One field has several z-planes, and its objects state none: { $names }.
       *[other] { $n_fields } fields have several z-planes, and their objects state none: { $names }.
    } Crops show the first z-plane. To use another one, set `images.z` of the recipe to `max`, `best-focus` or a number.

objects-without-time = { $n_fields ->
        [one] One field has several time points, and its objects state none: { $names }.
       *[other] { $n_fields } fields have several time points, and their objects state none: { $names }.
    } Crops show the first time point. To use another one, set `images.t` of the recipe, or add the column t to the table.

fields-without-objects = { $n_fields ->
        [one] One field has no objects: { $names }.
       *[other] { $n_fields } fields have no objects: { $names }.
    }

## Finders

finder-warning-of-fields = { $n_fields ->
        [one] In the field { $fields }: { $warning }
       *[other] In { $n_fields } fields ({ $fields }): { $warning }
    }

finder-without-objects = The finder detected no object in { $n_fields ->
        [one] the field
       *[other] { $n_fields } fields
    }
    .do = State whether objects are bright or dark, their diameter and their channel, or use masks of another program.

## Masks

labels-not-read = The label image cannot be read: { $reason }
    .do = Export it again, as TIFF or PNG without compression losses, or as NPY.

labels-pickled = The file contains Python objects, which can run code, so coverslip does not open it
    .do = { $is_cellpose ->
        [true] In Cellpose, save the masks as PNG or TIFF (File, Save masks), or the outlines as text, and use these files.
       *[false] Save the array of labels alone: np.save("labels.npy", labels.astype("int32")).
    }

labels-of-other-shape = A label image has two dimensions and whole numbers, but the shape of this file is { $shape }
    .do = Export one number for each pixel: 0 for the background, and another one for each object.

labels-with-decimals = The pixels are not whole numbers, so this is not a label image
    .do = Export labels instead of probabilities.

mask-of-other-size = The label image has { $width } × { $height } pixels, but its field { $field } has { $field_width } × { $field_height }
    .do = Export the label image in the size of the field.

mask-planes-differ = The label image has { $n_planes } planes, but its field { $field } has { $n_times ->
        [one] one time point
       *[other] { $n_times } time points
    } and { $n_z ->
        [one] one z-plane
       *[other] { $n_z } z-planes
    }
    .do = Export one plane, one plane for each time point or each z-plane, or one for each z-plane at each time point.

masks-without-objects = { $n_files ->
        [one] The label image contains no object
       *[other] None of the { $n_files } label images contains an object
    }: all pixels are background
    .do = Check the export of the label images.

binary-masks = { $n_files ->
        [one] One label image has a single value.
       *[other] { $n_files } label images have a single value.
    } Connected pixels are one object, so objects that touch each other are not divided.

background-as-object = { $n_planes ->
        [one] In one label image, an object touches all edges of the field and covers a quarter of it or more.
       *[other] In { $n_planes } label images, an object touches all edges of the field and covers a quarter of it or more.
    } If this is the background, replace its number by 0, or invert the binary mask.

objects-in-pieces = { $n_objects } of { $n_all } objects consist of several separate pieces. If the pixels of a label image are classes instead of objects, number each object.

## Files of other programs

object-file-not-read = The file of objects cannot be read: { $reason }
    .do = Export it again.

unknown-object-file = The kind of the file is unknown
    .do = Export objects as GeoJSON, ImageJ ROIs, COCO, LabelMe, CSV or label images.

unknown-json = The JSON file is neither GeoJSON nor a file of COCO or LabelMe
    .do = In QuPath, use File, Export objects as GeoJSON. Results of COCO are a list of objects without names of images: put them as "annotations" into the COCO file with the "images" and "categories".

mask-instead-of-outlines = This is an image without an overlay, not a file of outlines
    .do = If each object has the pixels of one number, choose it as masks. In ImageJ, save a TIFF with its overlay, or the ROI set.

files-without-objects = { $n_files ->
        [one] The file contains no object
       *[other] The { $n_files } files contain no object
    }{ $n_outside ->
        [0] {""}
        [one] : its only object lies outside its field
       *[other] : all { $n_outside } objects lie outside their fields
    }
    .do = { $n_outside ->
        [0] Check the export.
       *[other] Check that the coordinates are pixels of the full resolution, and that the files belong to these fields.
    }

objects-outside = { $n_objects } of { $n_all } objects lie entirely outside their field and are not used. Check that the coordinates are pixels of the full resolution.

objects-ignored = { $n_objects ->
        [one] One object is ignored: it is a line, an angle, a crowd of COCO or empty.
       *[other] { $n_objects } objects are ignored: they are lines, angles, crowds of COCO or empty.
    }

regions-ignored = { $n_regions ->
        [one] One region of QuPath is not used as an object
       *[other] { $n_regions } regions of QuPath are not used as objects
    }, because there are smaller objects: cells or detections, or annotations beside tiles and TMA cores.

object-properties-unused = { $n_names ->
        [one] One property of objects in the files is not used: { $names }.
       *[other] { $n_names } properties of objects in the files are not used: { $names }.
    }

positions-below-one = All positions in the file are below 1, as shares of the width and height of a field
    .do = Multiply them by the width and height of the field in pixels, except in YOLO files.

objects-of-only-field = { $names } has another name than the only field, { $field }; its objects are taken for it.

repeated-object-ids = { $n_ids ->
        [one] One object ID occurs more than once
       *[other] { $n_ids } object IDs occur more than once
    } in the field { $field }: { $ids }
    .do = If the rows are of several time points, choose their column with t. Otherwise, give each object of a field an ID of its own, or choose another column with object_id.

points-without-size = The objects are points without a size
    .do = Choose the side of the square around each point, in pixels or in µm. About twice the diameter of a cell is a good start.

field-without-pixel-size = Positions or sizes are in µm, but the pixel size of the field { $field } is unknown
    .do = State the pixel size of the fields, or use pixels.

geojson-feature-invalid = Feature { $number } of the GeoJSON file is invalid
    .do = A feature has a geometry with finite coordinates, and polygons have three points or more. Export the file again.

object-entry-invalid = Object { $number } of the file is invalid: { $reason }
    .do = Check that the file belongs to this image, and that the image has all of its planes.

plane-outside-field = { $axis } is { $at }, counted from 0, but '{ $field }' has { $n_planes } planes on this axis

objects-of-program = { $program ->
        [cellprofiler] Databases without the tables Per_Image and Per_Object of CellProfiler
        [cvat] XML files of CVAT
        [label-studio] JSON files of Label Studio
        [napari] Tables of shapes of napari
        [ome-xml] OME-XML files
        [trackmate] XML files of TrackMate
        [via] Files of the VGG Image Annotator
        [voc] XML files of Pascal VOC
        [yolo] YOLO files with other numbers than the class and the four of a box
       *[xml] XML files of this kind
    } are not read
    .do = { $program ->
        [cellprofiler] Use the database of its module ExportToDatabase, or the CSV files of ExportToSpreadsheet.
        [cvat] Export the task in the format COCO 1.0.
        [label-studio] Export in the format COCO.
        [napari] Convert the shapes to a labels layer, save it as TIFF, and choose it as masks.
        [ome-xml] Export the regions of OMERO as CSV.
        [trackmate] Export the table of spots as CSV.
        [via] Export the annotations in the format COCO.
        [voc] Convert the annotations to COCO, for example with CVAT.
        [yolo] Polygons, key points, probabilities and tracks look alike in YOLO. Export polygons as COCO, and boxes with five numbers.
       *[xml] Export objects as GeoJSON, ImageJ ROIs, COCO, LabelMe, CSV or label images.
    }

cellprofiler-tables = The database has { $n_tables } tables of objects, not one: { $names }
    .do = Use the CSV file of one kind of objects, from CellProfiler's module ExportToSpreadsheet.

coco-results-without-dataset = These are results of a detector, without the names of images and classes; { $n_datasets } COCO datasets are beside the file
    .do = Put the one COCO dataset of these images into the folder of the file, and choose the file of results.

coco-and-results = The folder contains a COCO dataset and results of a detector for it
    .do = Choose one of both files. The dataset beside the results gives the names of images and classes.

outlines-of-other-size = The outlines were drawn on an image of { $width } × { $height } pixels, but '{ $field }' has { $field_width } × { $field_height }
    .do = Use the images that were annotated as fields, or export the outlines for the images at this size.

labelme-shape-invalid = Shape { $number } of the LabelMe file is invalid
    .do = A polygon has three points or more, a rectangle and a circle two. Save the file again in LabelMe.

roi-invalid = ROI { $number } of the file is invalid
    .do = Save the ROI set again in ImageJ.

no-objects-in-archive = The zip file contains neither ROIs of ImageJ nor GeoJSON
    .do = Unpack it, and choose the folder. In ImageJ's ROI Manager, More, Save writes a zip file of ROIs.

cell-counter-invalid = Marker { $number } of the Cell Counter file is invalid
    .do = A marker has MarkerX, MarkerY and MarkerZ. Save the markers again in ImageJ.

coco-invalid = The images or categories of the COCO file are invalid
    .do = Each image has an id and a file_name, and each category has an id and a name.

coco-annotation-invalid = Annotation { $number } of the COCO file is invalid
    .do = It needs the image_id of an image of the file, and a segmentation or a bbox with a positive width and height.

yolo-line-invalid = Line { $number } of the YOLO file is invalid
    .do = A line has a class number, then x, y, width and height of a box, as shares of the image from 0 to 1.

cellpose-line-invalid = Line { $number } of the Cellpose outlines is invalid
    .do = A line has the x and y of three points or more, separated by commas.

points-invalid = { $n_lines ->
        [one] One line is not a point: line { $numbers }
       *[other] { $n_lines } lines are not points, such as lines { $numbers }
    }
    .do = A line has x and y in pixels, and optionally a class.

numbers-without-names = The numbers in the file have no names of columns
    .do = Write the names into the first line, separated like the numbers by commas or tabs: such as x_min, y_min, width and height for boxes in pixels, or x and y for points, and any name for other columns.

no-positions-in-table = The table has no columns with positions. Its columns are { $columns }
    .do = Choose the columns of x and y, or of x_min and y_min.

row-without-position = the row has no position

row-with-empty-box = the box is empty

first-row-of-values = The first row of the table contains values, not names of columns
    .do = Insert a row of names before it, such as path,x_min,y_min,x_max,y_max,label.

cellprofiler-images-unmatched = None of the files in CellProfiler's table of images is a field
    .do = Use the fields that CellProfiler analyzed.

no-cellprofiler-images = The table has no names of images, and CellProfiler's table of images (such as MyExpt_Image.csv) is not beside it
    .do = Put the table of images into the same folder.

## Tables of objects and exports

objects-without-column = The table of objects has no column '{ $column }'
    .do = Use a table that coverslip wrote, with all its columns.

not-an-outline = the outline is not a polygon or a point: { $value }

field-of-unknown-size = The size of the field { $field } is needed, but its file cannot be read
    .do = Put the field back in its place, or choose GeoJSON, ROIs or a table.

unknown-object-format = There is no format '{ $format }' for objects
    .do = The formats are geojson, label-tiff, rois, coco, labelme, cellprofiler and ome-tiff.

prediction-without-objects = The prediction has no table of objects in fields of view
    .do = Predict a dataset or a table of objects.

crop-margin-invalid = The margin of crops '{ $margin }' is invalid
    .do = Use a share of the longer side of the box from 0 to 10, such as 0.2, or a length, such as '2 um'.

crop-time-invalid = The time point of crops '{ $time }' is invalid
    .do = Use a number from 0.

crop-plane-invalid = The z-plane of crops '{ $plane }' is invalid
    .do = Use a number from 0, 'max', 'mean', 'best-focus' or 'channels'.

crop-not-written = The crop of { $object } is not written, because it cannot be read. { $reason }

more-crops-not-written = { $n_objects ->
        [one] One more crop is not written.
       *[other] { $n_objects } more crops are not written.
    }

export-objects-to-folder = The format { $format } is one file, but this is a folder
    .do = Choose a file name that ends in { $suffix }.

export-objects-to-file = There are { $n_fields ->
        [one] one field
       *[other] { $n_fields } fields
    }, and the format { $format } has a file for each, but this is a file
    .do = Choose a folder.

predictions-of-other-objects = None of the predictions is of an object in the table { $objects }
    .do = Choose the table of objects that was predicted.

predictions-without-object = { $n_predictions ->
        [one] One prediction is of an image that is not in the table of objects. It is not exported.
       *[other] { $n_predictions } predictions are of images that are not in the table of objects. They are not exported.
    }

objects-without-prediction = { $n_objects ->
        [one] One object has no prediction. It is exported without a class.
       *[other] { $n_objects } objects have no prediction. They are exported without a class.
    }
