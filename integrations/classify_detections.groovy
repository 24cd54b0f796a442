// QuPath: classify the detections of an image with a classifier that coverslip exported.
//
// coverslip export runs/first --to onnx --out blood_cells_onnx
// pip install numpy pillow onnxruntime
//
// Set the three values below. Automate > Script editor > Run. Each detection gets the predicted class, and its
// probability as a measurement.
//
// At the edge of the image, this script moves the square inside; coverslip keeps it centered and fills the missing part.
// So the predictions of these detections can differ from those of `coverslip predict`.

import java.nio.file.Files
import qupath.lib.objects.classes.PathClass
import qupath.lib.regions.RegionRequest

def python = "python3"
def model = "/data/blood_cells_onnx"
def side = 80 // side of the square around each detection in pixels of the full image, as in the training (crop size)

def server = getCurrentServer()
def folder = Files.createTempDirectory("coverslip").toFile()
def detections = getDetectionObjects() as List
detections.eachWithIndex { detection, k ->
    def roi = detection.getROI()
    int x = Math.max(0, Math.min(server.getWidth() - side, Math.round(roi.getCentroidX() - side / 2) as int))
    int y = Math.max(0, Math.min(server.getHeight() - side, Math.round(roi.getCentroidY() - side / 2) as int))
    def region = RegionRequest.createInstance(server.getPath(), 1.0d, x, y, side, side, roi.getZ(), roi.getT())
    writeImageRegion(server, region, new File(folder, "${k}.png").getPath())
}
detections.indices.collate(1000).each { some -> // command lines have a largest length
    def files = some.collect { new File(folder, "${it}.png").getPath() }
    def command = [python, "${model}/classify.py".toString(), "${model}/model.onnx".toString()] + files
    def errors = new File(folder, "errors.txt")
    def process = new ProcessBuilder(command).redirectError(errors).start()
    def rows = process.getInputStream().readLines("UTF-8").drop(1)
    if (process.waitFor() != 0) throw new RuntimeException(errors.getText("UTF-8"))
    rows.each { row -> // path,predicted,probability; only class names may contain commas
        def values = row.substring(row.indexOf(",") + 1)
        def predicted = values.substring(0, values.lastIndexOf(",")).replaceAll('^"|"$', "").replace('""', '"')
        def detection = detections[new File(row.substring(0, row.indexOf(","))).getName().replace(".png", "") as int]
        detection.setPathClass(PathClass.fromString(predicted))
        detection.getMeasurementList().put("coverslip probability", values.substring(values.lastIndexOf(",") + 1) as double)
    }
}
folder.deleteDir()
fireHierarchyUpdate()
