"""Written by tools/compile_schema.py: the layer types that each module registers."""

from __future__ import annotations

MODULES: dict[str, str] = {
    "arrangement": "Concat Crop Eltwise Flatten Reshape Silence Slice Split Tile",
    "convolution": (
        "Conv3D Convolution Convolution3D ConvolutionData ConvolutionDepthWise "
        "ConvolutionDepthwise ConvolutionRistretto CudnnConvolution Deconvolution Deconvolution3D "
        "DeconvolutionRistretto DeformableConvolution DepthConvolution DepthWiseConvolution "
        "DepthwiseConvolution Im2col NdConvolution SqueezeConvolution"
    ),
    "data": (
        "AnnotatedData AnyData ContinuationIndicator Data DenseImageData DummyData FLOWriter "
        "FloatWriter HDF5Data HDF5Output ImageData ImageSegData ImgWriter Input MatWrite "
        "MemoryData Parameter VideoData WindowData"
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
        "BroadcastSub ChannelNorm ChannelScale ChannelwiseScale CosinAdd CosineAdd DenseCRF Div "
        "DomainTransform ExpandDims GN GroupNorm GroupNormalization L2Norm L2Normalization "
        "L2Normalize LabelSpecificAdd LabelSpecificMargin LabelSpecificRescale Maximum Minimum "
        "Mul MultiStageMeanfield Normalization Normalize Permute ShuffleChannel SpatialScale "
        "Squeeze Stack Sub SyncBN SyncBatchNorm Transpose Unsqueeze"
    ),
    "losses": (
        "Accuracy BoxAnnotatorOHEM CenterLoss ContrastiveLoss EuclideanLoss Figure HingeLoss "
        "InfogainLoss Loss MultinomialLogisticLoss SegAccuracy SigmoidCrossEntropyLoss "
        "SmoothL1LossOHEM SoftmaxWithLoss SoftmaxWithLossOHEM"
    ),
    "neurons": (
        "Abs AbsVal BNLL BReLU CELU CReLU Cast Ceil ChannelShuffle Clip CoeffSchedule Copy Cos "
        "Debug DropBlock DropConnect DropPath Dropout ELU Erf Exp Flip Floor GELU GRL "
        "GaussianNoise GradientReversal GradientScaler Grl HSigmoid HSwish H_Swish HardSigmoid "
        "HardSwish HardTanh Hardtanh Hsigmoid Hswish Identity Invert LRNRistretto LeakyReLU Log "
        "Mean Mirror Mish Neg Negative Noise PReLU Pass Power Print QuantReLU Quantize "
        "QuantizeRelu RReLU RandomizedReLU ReLU ReLU6 ReLUN ReLURistretto ReLUX Reverse Round "
        "Rsqrt SELU SeLU SeLuDropout SiLU Sigmoid Sign Sin SoftPlus SoftSign SoftmaxRistretto "
        "Softplus Softsign SpatialDropout Sqrt Square StochasticDepth StopGradient Swish TanH "
        "Threshold ThresholdedReLU"
    ),
    "normalisation": "BatchNorm Bias LRN MVN Scale Softmax",
    "picking": "ArgMax BatchReindex Filter Reduction",
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
