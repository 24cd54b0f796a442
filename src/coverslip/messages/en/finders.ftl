# Finders of objects in fields of view.

finder-no-image = A finder needs pixels as (height, width) or (height, width, channels), not an array of shape { $shape } and type { $dtype }
    .do = Read the field with coverslip, or pass one plane.

finder-no-channel = There is no channel { $channel }: the field has { $n_channels ->
        [one] one channel
       *[other] { $n_channels } channels
    }, numbered from 0
    .do = Select another channel.

finder-channel-order = The files give the same channels different orders, so that a number is another channel in each: here { $names }
    .do = Select the channel by its name.

finder-no-pixel-size = The diameter is in micrometers, but the pixel size of the field is unknown
    .do = State the pixel size, or give the diameter in pixels.

finder-first-channel = The field has { $n_channels } channels and none was selected: objects were searched in the first.

finder-nothing = No object stands out from the background.

finder-low-contrast = Objects stand out from the background by only { $contrast } times its standard deviation. Many of them may be noise, or may have wrong outlines.

finder-crowded = Objects cover { $percent }% of the field. Objects that touch on several sides may be merged.

finder-limits = The limits of size exclude more than half of the objects.

finder-excluded = { $n_excluded } of { $n_objects } detected objects are excluded, because they are outside the limits of size, or touch the edge of their field and such objects are excluded.

finder-small-objects = Objects are only { $diameter } pixels wide. Their outlines are uncertain.

finder-tissue = { $percent }% of the field has the colors of hematoxylin and eosin. The finder does not suit sections of tissue: use the objects of a tool for histology.

# Finders of other packages

finder-unknown = There is no finder '{ $name }'; there are: { $names }
    .do = Check the name, or install the package that brings the finder.

finder-not-loaded = The finder '{ $name }' of the package { $package } could not be loaded: { $reason }
    .do = Update the package, or uninstall it.

finder-no-record = the entry point is a { $type }, not a Finder

finder-failed = The finder '{ $name }' failed: { $reason }
    .do = Use another finder, or report this to its authors.

finder-wrong-labels = The finder '{ $name }' returned no label image of the field: { $reason }
    .do = Use another finder, or report this to its authors.
