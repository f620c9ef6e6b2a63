"""Networks that give maps or boxes: FCN-8s, SSD300 and Faster R-CNN, all on VGG-16."""

from __future__ import annotations

from prototxt_generator.builder import Net, image
from prototxt_generator.plain import vgg_features

VGG16 = (2, 2, 3, 3, 3)
CLASSES = 21  # the 20 of PASCAL VOC and the background


def fcn8s() -> Net:
    """FCN-8s for PASCAL VOC, 500 x 500, with the border of 100 of the authors' file."""
    comment = "FCN-8s (VGG-16) for PASCAL VOC. conv1_1 pads by 100, the crops take it off again."
    net = Net("FCN8s", comment, image(500))
    x = net.pool(vgg_features(net, VGG16, pad_first=100), "pool5", "MAX", 2, 2)
    x = net.dropout(net.relu(net.conv(x, "fc6", 4096, 7), "relu6"), "drop6")
    x = net.dropout(net.relu(net.conv(x, "fc7", 4096, 1), "relu7"), "drop7")
    x = _upsample(net, net.conv(x, "score_fr", CLASSES, 1), "upscore2", 2)
    for place, offset, up, factor in (
        ("pool4", 5, "upscore_pool4", 2),
        ("pool3", 9, "upscore8", 8),
    ):
        side = net.conv(place, f"score_{place}", CLASSES, 1)
        side = _crop(net, (side, x), f"score_{place}c", offset)
        x = _upsample(net, net.sum((x, side), f"fuse_{place}"), up, factor)
    _crop(net, (x, "data"), "score", 31)
    return net


def _upsample(net: Net, x: str, name: str, factor: int) -> str:
    kernel = 2 * factor
    return net.conv(x, name, CLASSES, kernel, stride=factor, bias=False, kind="Deconvolution")


def _crop(net: Net, bottoms: tuple[str, str], name: str, offset: int) -> str:
    return net.add("Crop", name, bottoms, crop_param={"axis": 2, "offset": offset})


def ssd300() -> Net:
    """SSD300 for PASCAL VOC: VGG-16 with dilated fc6, extra layers, six maps of boxes."""
    comment = """
SSD300 (VGG-16) for PASCAL VOC. Normalize, Permute, PriorBox and DetectionOutput are layers of
the authors' fork of Caffe."""
    net = Net("SSD300_VGG16", comment, image(300))
    x = net.pool(vgg_features(net, VGG16), "pool5", "MAX", 3, 1, pad=1)
    x = net.relu(net.conv(x, "fc6", 1024, 3, pad=6, dilation=6), "relu6")
    x = net.relu(net.conv(x, "fc7", 1024, 1), "relu7")
    for index, (narrow, wide, stride) in enumerate(
        ((256, 512, 2), (128, 256, 2), (128, 256, 1), (128, 256, 1)), start=6
    ):
        x = net.relu(net.conv(x, f"conv{index}_1", narrow, 1), f"conv{index}_1_relu")
        x = net.conv(x, f"conv{index}_2", wide, 3, stride=stride, pad=stride - 1)
        x = net.relu(x, f"conv{index}_2_relu")
    norm_param = {
        "across_spatial": False,
        "scale_filler": {"type": "constant", "value": 20},
        "channel_shared": False,
    }
    net.add("Normalize", "conv4_3_norm", "conv4_3", norm_param=norm_param)
    # map, boxes a place, smallest and largest box, step, all in pixels
    maps = (
        ("conv4_3_norm", 4, 30, 60, 8),
        ("fc7", 6, 60, 111, 16),
        ("conv6_2", 6, 111, 162, 32),
        ("conv7_2", 6, 162, 213, 64),
        ("conv8_2", 4, 213, 264, 100),
        ("conv9_2", 4, 264, 315, 300),
    )
    locations, confidences, priors = [], [], []
    for source, boxes, smallest, largest, step in maps:
        locations.append(_box_head(net, source, "loc", 4 * boxes))
        confidences.append(_box_head(net, source, "conf", CLASSES * boxes))
        prior = {
            "min_size": smallest,
            "max_size": largest,
            "aspect_ratio": [2] if boxes == 4 else [2, 3],
            "flip": True,
            "clip": False,
            "variance": [0.1, 0.1, 0.2, 0.2],
            "step": step,
            "offset": 0.5,
        }
        name = f"{source}_mbox_priorbox"
        priors.append(net.add("PriorBox", name, (source, "data"), prior_box_param=prior))
    location = net.add("Concat", "mbox_loc", locations, concat_param={"axis": 1})
    x = net.add("Concat", "mbox_conf", confidences, concat_param={"axis": 1})
    prior_boxes = net.add("Concat", "mbox_priorbox", priors, concat_param={"axis": 2})
    shape = {"shape": {"dim": [0, -1, CLASSES]}}
    x = net.add("Reshape", "mbox_conf_reshape", x, reshape_param=shape)
    x = net.add("Softmax", "mbox_conf_softmax", x, softmax_param={"axis": 2})
    x = net.add("Flatten", "mbox_conf_flatten", x, flatten_param={"axis": 1})
    output = {
        "num_classes": CLASSES,
        "share_location": True,
        "background_label_id": 0,
        "nms_param": {"nms_threshold": 0.45, "top_k": 400},
        "code_type": "CENTER_SIZE",
        "keep_top_k": 200,
        "confidence_threshold": 0.01,
    }
    bottoms = (location, x, prior_boxes)
    net.add("DetectionOutput", "detection_out", bottoms, detection_output_param=output)
    return net


def _box_head(net: Net, source: str, what: str, width: int) -> str:
    name = f"{source}_mbox_{what}"
    x = net.conv(source, name, width, 3, pad=1)
    x = net.add("Permute", f"{name}_perm", x, permute_param={"order": [0, 2, 3, 1]})
    return net.add("Flatten", f"{name}_flat", x, flatten_param={"axis": 1})


def faster_rcnn_vgg16() -> Net:
    """Faster R-CNN on VGG-16 for PASCAL VOC, one image of 600 x 1000."""
    comment = """
Faster R-CNN (VGG-16) for PASCAL VOC, end-to-end form, an image of 600 x 1000. Proposal and
ROIPooling are layers of Caffe's forks; Proposal gives the 300 best regions."""
    inputs = {"data": (1, 3, 600, 1000), "im_info": (1, 3)}
    net = Net("Faster_RCNN_VGG16", comment, inputs)
    features = vgg_features(net, VGG16)
    x = net.relu(
        net.conv(features, "rpn_conv/3x3", 512, 3, pad=1, top="rpn/output"), "rpn_relu/3x3"
    )
    scores = net.conv(x, "rpn_cls_score", 18, 1)
    boxes = net.conv(x, "rpn_bbox_pred", 36, 1)
    scores = _reshape(net, scores, "rpn_cls_score_reshape", 2)
    scores = _reshape(net, net.softmax(scores, "rpn_cls_prob"), "rpn_cls_prob_reshape", 18)
    proposal = {
        "feat_stride": 16,
        "base_size": 16,
        "min_size": 16,
        "ratio": [0.5, 1, 2],
        "scale": [8, 16, 32],
        "pre_nms_topn": 6000,
        "post_nms_topn": 300,
        "nms_thresh": 0.7,
    }
    bottoms = (scores, boxes, "im_info")
    regions = net.add("Proposal", "proposal", bottoms, "rois", proposal_param=proposal)
    pooling = {"pooled_w": 7, "pooled_h": 7, "spatial_scale": 0.0625}
    x = net.add("ROIPooling", "roi_pool5", (features, regions), "pool5", roi_pooling_param=pooling)
    for index in (6, 7):
        x = net.relu(net.fc(x, f"fc{index}", 4096), f"relu{index}")
        x = net.dropout(x, f"drop{index}")
    net.fc(x, "bbox_pred", 4 * CLASSES)
    net.softmax(net.fc(x, "cls_score", CLASSES), "cls_prob")
    return net


def _reshape(net: Net, x: str, name: str, channels: int) -> str:
    return net.add("Reshape", name, x, reshape_param={"shape": {"dim": [0, channels, -1, 0]}})
