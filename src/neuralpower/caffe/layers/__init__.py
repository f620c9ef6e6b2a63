"""The shape functions of all layer types, imported when a network has such a layer."""

from __future__ import annotations

import importlib

from neuralpower.caffe.registry import LAYER_TYPES, LayerType

#: The layer types of each module (a test holds the two together).
MODULES = {
    "arrangement": (
        "ArgMax BatchReindex Concat Crop Eltwise Filter Flatten Reduction Reshape Silence Slice "
        "Split Tile"
    ),
    "convolution": (
        "Conv3D Convolution Convolution3D ConvolutionData ConvolutionDepthWise "
        "ConvolutionDepthwise ConvolutionRistretto CudnnConvolution Deconvolution "
        "Deconvolution3D DeconvolutionRistretto DeformableConvolution DepthConvolution "
        "DepthWiseConvolution DepthwiseConvolution Im2col NdConvolution SqueezeConvolution"
    ),
    "data": (
        "AnnotatedData ContinuationIndicator Data DenseImageData DummyData FLOWriter FloatWriter "
        "HDF5Data HDF5Output ImageData ImageSegData ImgWriter Input MatWrite MemoryData Parameter "
        "VideoData WindowData"
    ),
    "dense": (
        "Embed FcRistretto InnerProduct InnerProductRistretto LSTM LSTMUnit Lstm "
        "MarginInnerProduct NormInnerProduct RNN SqueezeInnerProduct"
    ),
    "detection": (
        "BoxGroupOutput BoxOutput DecodeBBox DetectionEvaluate DetectionOutput FrcnnOutput "
        "MultiBoxLoss PSROIAlign PSROIPooling PriorBox Proposal ProposalTarget ROIAlign "
        "ROIAlignment ROIPooling RegionDetectionOutput RoIAlign YoloDetectionOutput "
        "Yolov3DetectionOutput"
    ),
    "forks": (
        "Add ArcFace Attention Axpy BN BatchRenorm BroadcastAdd BroadcastDiv BroadcastMul "
        "BroadcastSub ChannelNorm ChannelScale ChannelwiseScale CosinAdd CosineAdd Div ExpandDims "
        "GN GroupNorm GroupNormalization L2Norm L2Normalization L2Normalize LabelSpecificAdd "
        "LabelSpecificMargin LabelSpecificRescale Maximum Minimum Mul Normalization Normalize "
        "Permute ShuffleChannel SpatialScale Squeeze Stack Sub SyncBN SyncBatchNorm Transpose "
        "Unsqueeze"
    ),
    "losses": (
        "Accuracy BoxAnnotatorOHEM CenterLoss ContrastiveLoss EuclideanLoss Figure HingeLoss "
        "InfogainLoss Loss MultinomialLogisticLoss SegAccuracy SigmoidCrossEntropyLoss "
        "SmoothL1LossOHEM SoftmaxWithLoss SoftmaxWithLossOHEM"
    ),
    "neurons": (
        "AbsVal BNLL CELU CReLU Cast Ceil Clip CoeffSchedule Copy Cos Debug DropBlock DropConnect "
        "DropPath Dropout ELU Exp Flip Floor GELU GRL GaussianNoise GradientReversal "
        "GradientScaler Grl HSigmoid HSwish H_Swish HardSigmoid HardSwish HardTanh Hardtanh "
        "Hsigmoid Hswish Identity Invert LRNRistretto LeakyReLU Log Mean Mirror Mish Neg Negative "
        "Noise PReLU Pass Power Print QuantReLU Quantize QuantizeRelu RReLU RandomizedReLU ReLU "
        "ReLU6 ReLUN ReLURistretto ReLUX Reverse Round Rsqrt SELU SeLU SeLuDropout SiLU "
        "Sigmoid Sign Sin SoftPlus SoftSign SoftmaxRistretto Softplus Softsign SpatialDropout Sqrt "
        "Square StochasticDepth StopGradient Swish TanH Threshold ThresholdedReLU"
    ),
    "normalisation": "BatchNorm Bias LRN MVN Scale Softmax",
    "pooling": "NdPooling Pooling Pooling3D SPP",
    "python_layers": "Python",
    "resizing": (
        "BilinearInterpolation BilinearUpsample CenterCrop Correlation Correlation1D CropCenter "
        "DepthToSpace Downsample FlowWarp ImResize Interp MaxUnpooling NNUpsample NearestUpsample "
        "Pad Padding PixelShuffle PixelShuffler Reorg Resample Resize ResizeBilinear "
        "ResizeNearestNeighbor SpaceToDepth SpatialTransformer UnPooling Unpooling UpSample "
        "Upsample UpsampleDarknet Upsampling Warp"
    ),
}
_MODULE_OF = {name: module for module, names in MODULES.items() for name in names.split()}
#: Types that have one name in the file and another in the registry are no spelling of them.
_HELPERS = ("Loss", "Figure")
_SPELLINGS = {"softmaxloss": "SoftmaxWithLoss", "lstm": "LSTM"}
for _name in sorted(_MODULE_OF, key=lambda name: (sum(map(str.isupper, name)), name)):
    if _name not in _HELPERS:
        _SPELLINGS.setdefault(_name.replace("_", "").lower(), _name)


#: Ends of the names of types that are alike in all forks, and the type that stands for them.
_ENDINGS = {"Loss": "Loss", "LossLayer": "Loss", "Accuracy": "Figure"}


def canonical(name: str) -> str | None:
    """The type that a name in capitals or another spelling means: ``ROI_POOLING``, ``relu``.

    Forks of the V1 format spell their types as V1 does; None where no type is meant.
    """
    return _SPELLINGS.get(name.replace("_", "").lower())


def find(name: str) -> LayerType | None:
    """The layer type of this name, or None when nobody knows it."""
    found = LAYER_TYPES.get(name)
    if found is None and name not in _MODULE_OF:
        name = next((kind for end, kind in _ENDINGS.items() if name.endswith(end)), name)
        found = LAYER_TYPES.get(name)
    if found is None and name in _MODULE_OF:
        importlib.import_module(f"{__name__}.{_MODULE_OF[name]}")
        found = LAYER_TYPES[name]
    return found
