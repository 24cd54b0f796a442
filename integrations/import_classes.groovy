// QuPath 0.4 or later: give the objects of an image the classes that coverslip predicted.
//
// In QuPath: File > Export objects as GeoJSON. Then:
// coverslip objects fields/ --outlines exported/ --out objects.csv
// coverslip predict runs/first objects.csv --out predictions.csv
// coverslip export-objects predictions.csv --objects objects.csv --to geojson --out predicted/
//
// Set the file below. Automate > Script editor > Run. Objects are found by their IDs; no object is added.

import qupath.lib.io.GsonTools
import qupath.lib.objects.classes.PathClass

def file = new File("/data/predicted/slide.geojson")

def collection = file.withReader("UTF-8") { GsonTools.getInstance().fromJson(it, Map) }
def objectOf = getAllObjects(false).collectEntries { [(it.getID().toString()): it] }
int n = 0, nMissing = 0
collection.features.each { feature ->
    def object = objectOf[feature.properties.metadata?.object_id]
    if (object == null) {
        nMissing++
        return
    }
    def predicted = feature.properties.classification
    object.setPathClass(predicted == null ? null : PathClass.fromString(predicted.name))
    def probability = feature.properties.measurements?.probability
    if (probability != null) object.getMeasurementList().put("coverslip probability", probability as double)
    n++
}
fireHierarchyUpdate()
println "${n} objects have a class now; ${nMissing} objects of the file are not in this image"
