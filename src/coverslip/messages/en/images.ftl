# Image files: opening, decoding, cutting and scaling them.

# Files

no-such-image = There is no such file
    .do = Check the path.

folder-instead-of-image = This is a folder, not an image
    .do = Name the images in it.

no-regular-file = This is not a regular file
    .do = Name an image file.

image-not-opened = The file could not be opened: { $reason }
    .do = Check the path.

image-no-permission = The file may not be read: { $reason }
    .do = Give yourself permission to read it.

image-outside-folders = The file is outside the folders that the app may read
    .do = Choose another file, or allow the app to read this folder.

image-file-empty = The file is empty (0 bytes)
    .do = Copy or export it again. Other images are not affected.

image-damaged = The file is damaged, incomplete or of an unknown kind: { $reason }
    .do = Copy or export it again. Other images are not affected.

box-beyond-edge = the box reaches beyond the edge of its image, and is filled up with the color of its border

image-incomplete = The file is damaged or incomplete
    .do = Copy or export it again. Other images are not affected.

not-an-image = The file is not an image: it contains { $is_text ->
        [true] text
       *[false] a format that coverslip does not know
    }
    .do = Export it as PNG or TIFF, or exclude it. Other images are not affected.

# Formats

dicom-without-header = The file is DICOM without its header, the file meta information that declares how pixels are stored
    .do = Export it as a DICOM file (Part 10) or TIFF from the software that wrote it.

dicom-without-image = The DICOM file contains no image, but another kind of data, such as a report or a plan
    .do = Exclude it.

zarr-without-multiscales = The Zarr folder has no OME metadata (multiscales), which state the axes of an image
    .do = Write the array again as OME-Zarr, such as with the Python package ome-zarr, or as TIFF.

image-kind-not-read = The file is of a kind that cannot be read: { $reason }
    .do = Convert it to PNG or TIFF with another program. If other programs cannot open it either, it is damaged.

frames-of-16-bit-png = frames of an animated PNG of 16 bit after the first

frame-of-other-size = its frame { $frame } has another size than the image

format-not-read = Files of the format { $title } cannot be read yet
    .do = { $advice }

format-not-installed = The reader of the format { $title } is not installed
    .do = { $advice }

format-needs-package = Install it: { $command } (package { $package }). Alternatively: { $export }

format-needs-python = coverslip reads it with Python { $version } or later and the extra packages "coverslip[formats]". Alternatively: { $export }

frame-missing = its plane { $frame } is missing or incomplete

dicom-sparse-tiles = its tiles do not fill the slide in order

zarr-metadata = its metadata of OME-Zarr are invalid: { $reason }

zarr-chunk-missing = its chunk { $chunk } is missing

zarr-chunk-incomplete = its chunk { $chunk } is incomplete

zarr-chunk-too-large = its chunks are too large

format-not-loaded = The format '{ $name }' of the package { $package } could not be loaded: { $reason }
    .do = Update { $package }, or uninstall it.

format-no-reader = it is a { $type }, not a Reader

export-from-microscope = Export it as OME-TIFF or PNG from the microscope software.

export-picture = Export it as PNG or TIFF from the program that wrote it, or from Fiji.

export-from-fiji = Export TIFF from Fiji (File > Import > Bio-Formats, then File > Save As > Tiff).

export-nd2 = Export TIFF from NIS-Elements (File > Import/Export > Export ND Document) or Fiji (File > Import > Bio-Formats, then File > Save As > Tiff).

export-czi = Export OME-TIFF from ZEN (Processing > Batch > OME TIFF-Export) or TIFF from Fiji (File > Import > Bio-Formats, then File > Save As > Tiff).

export-lif = Export TIFF from LAS X (right-click the image > Export Image) or Fiji (File > Import > Bio-Formats, then File > Save As > Tiff).

export-oib = Export TIFF from the microscope software or Fiji (File > Import > Bio-Formats, then File > Save As > Tiff).

export-ims = Export a TIFF series from Imaris (File > Export) or TIFF from Fiji (File > Import > Bio-Formats, then File > Save As > Tiff).

export-heic = Export the photos as JPEG from the phone (on an iPhone: Settings > Camera > Formats > Most Compatible) or from a photo program.

export-slide = Export regions as TIFF from QuPath (File > Export images) or the scanner software.

# Sizes and limits

image-too-large = The image declares { $width } x { $height } pixels{ $pixel_bytes ->
        [1] { "" }
       *[other] {" "}of { $pixel_bytes } bytes each
    }, and the limit is { NUMBER($limit_mb, maximumFractionDigits: 0) } million bytes
    .do = Crop or shrink it first.

image-too-many-pixels = The image declares too many pixels: the limit is { NUMBER($limit_mb, maximumFractionDigits: 0) } million bytes
    .do = Crop or shrink it first.

image-file-too-long = The file has { NUMBER($n_mb, maximumFractionDigits: 0) } million bytes, and the limit for a compressed image is { NUMBER($limit_mb, maximumFractionDigits: 0) } million bytes
    .do = Copy or export it again. Other images are not affected.

image-out-of-memory = There is not enough memory for the image
    .do = Crop or shrink it first.

image-memory-limit = Reading the file took more than { NUMBER($memory_gb, maximumFractionDigits: 3) } GB of memory
    .do = Crop or shrink it first.

image-time-limit = Reading the file took longer than { NUMBER($seconds, maximumFractionDigits: 3) } s
    .do = Copy or export it again. Other images are not affected.

image-without-size = it declares a size of { $width } x { $height } pixels

image-of-zeros = it begins with zeros only

image-too-many-frames = it has { $n_frames } frames, and the limit is { $limit }

palette-too-short = a pixel refers to a color beyond the end of the palette

# Planes, channels and boxes

no-such-plane = z-plane { $plane } does not exist: the image has { $n_planes ->
        [one] { $n_planes } z-plane
       *[other] { $n_planes } z-planes
    }, numbered from 0
    .do = Choose a lower z-plane, 'max', 'mean' or 'best-focus' over all z-planes, or 'channels' to use each plane as a channel.

no-such-series = Series { $series } does not exist: the file has { $n_series ->
        [one] { $n_series } series
       *[other] { $n_series } series
    }, numbered from 0
    .do = Choose a lower series.

no-such-time = Time point { $t } does not exist: the image has { $n_times ->
        [one] { $n_times } time point
       *[other] { $n_times } time points
    }, numbered from 0
    .do = Choose a lower time point.

no-such-level = Level { $number } does not exist: the image has { $n_levels ->
        [one] { $n_levels } level
       *[other] { $n_levels } levels
    } of resolution, numbered from 0
    .do = Choose a lower level; level 0 is the full resolution.

no-such-channel-name = { $n_names ->
        [0] There is no channel '{ $channel }': the file names no channels
       *[other] '{ $channel }' is not the name of exactly one channel: the channels are { $names }
    }
    .do = Choose channels by their numbers from 0, or by the names in the file.

projection-too-large = The { $n_planes } planes of the file have { $n_values } values, and the limit for a projection is { $limit } values
    .do = Choose one plane by its number, or export fewer planes.

planes-differ-in-size = The planes of the file differ in size
    .do = Choose one plane by its number.

no-such-channels = { $has_channels ->
        [true] The channels { $channels } do not all exist
       *[false] No channels are chosen
    }: the image has { $n_channels ->
        [one] { $n_channels } channel
       *[other] { $n_channels } channels
    }, numbered from 0
    .do = Change the channels in the recipe or table.

channels-do-not-fit = The image has { $n_channels ->
        [one] { $n_channels } channel
       *[other] { $n_channels } channels
    }, and { $n_needed ->
        [one] { $n_needed } is needed
       *[other] { $n_needed } are needed
    }
    .do = Choose the channels in the recipe or table, or exclude such images.

channel-file-missing = The file of a channel, '{ $name }', is missing
    .do = Put it into the folder of the other channels, or exclude the image.

channel-file-unreadable = The file of a channel, '{ $name }', cannot be read: { $what }

channel-files-differ = The files of the channels differ: { $width } x { $height } pixels of { $dtype } and { $other_width } x { $other_height } pixels of { $other_dtype }
    .do = Export all channels in the same way.

box-outside-image = The box x={ $x }, y={ $y }, width={ $width }, height={ $height } is outside the image of { $image_width } x { $image_height } pixels
    .do = Correct the box in the table.

box-too-large = The box x={ $x }, y={ $y }, width={ $width }, height={ $height } is far larger than the image of { $image_width } x { $image_height } pixels
    .do = Correct the box in the table.

crop-needs-pixel-size = The crop has a size in µm ({ $length }), and the pixel size of the image is not known
    .do = State the pixel size in the recipe (images.pixel_size_um) or in a column pixel_size_um of the table, or give the crop size in pixels.

# Intensities

no-finite-pixel = No pixel has a finite value
    .do = Copy or export it again. Other images are not affected.

pixels-replaced = pixels that are NaN or infinite were replaced

float-range-unknown = The image has float values outside 0 to 1, and the training images do not define their range
    .do = Export it in the bit depth of the training images.

full-scaling-of-floats = { $n_outside } of { $n_images ->
        [one] { $n_images } training image has
       *[other] { $n_images } training images have
    } float values outside 0 to 1, for which `scaling: full` is not defined
    .do = Use `scaling: training-range`, or remove `scaling` from the recipe.

# TIFF


ome-in-companion = this OME-TIFF is one file of an image, whose other channels, planes and pixel size are stated in a companion file, which is not read

tifffile-complains = tifffile reads this TIFF with the warning: { $complaint }

tiff-without-pages = it contains no pages

tiff-pages-missing = declared pages are missing ({ $complaint })

image-without-height-and-width = its axes are '{ $axes }', without exactly one height and one width

tiff-pixels-cut = its pixels extend beyond the end of the file

tiff-page-missing = page { $page } is missing or in another file

tiff-page-cut = the pixels of page { $page } extend beyond the end of the file

tiff-page-incomplete = a part of page { $page } has no pixels

tiff-part-size = a strip or tile declares another size than its page

tiff-pixel-type = The pixels are of the type { $dtype }, which is not supported
    .do = Export the image as 8-bit, 16-bit or float TIFF.

color-space = The pixels are { $color_space } of { $bits } bit, which is not supported
    .do = Convert the image to RGB of 8 or 16 bit, and export it again.

netpbm-value-too-large = a value is { $value }, and the largest value is declared as { $limit }

tiff-file-outside-folder = its metadata name a file in another folder

tiff-swapped-pages = it has several pages, and its first bytes contradict its byte order

tiff-pages-in-circle = its pages refer to each other in a circle

tiff-too-many-pages = it declares more than { $limit } pages

tiff-too-many-parts-listed = its pages list implausibly many strips or tiles

# Decoding processes

decoder-not-started = A process that reads images could not be started: { $reason }
    .do = Close other programs, and try again.

decoder-killed = The process that read the file was killed twice, probably because memory ran out
    .do = Close other programs, and read the images again. The file itself may be undamaged.

decoder-crashed = The process that read the file crashed
    .do = Copy or export it again. Other images are not affected.

image-read-alone = the process that read the file was killed, and the file was then read again on its own

reading-stopped = Reading was stopped
    .do = Read the images again.
