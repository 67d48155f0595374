"""Tables and claims of Al Mamun et al., 2025, as printed."""

from lentigo.studies.study import Table

__all__ = ["TABLE_I", "TABLE_II", "TABLE_III", "TABLE_IV", "TEXT"]

TABLE_I = Table(
    "I",
    "Comparison of related studies in skin cancer detection",
    ("accuracy %",),
    {
        "PNASNet-5-Large, ISIC 2018": (76.0,),
        "CNN-LSTM-SVM, HAM10000": (88.24,),
        "DenseNet77, ISIC 2018": (91.4,),
        "Xception, open source": (91.0,),
        "VGG19, HAM10000": (97.4,),
        "SqueezeNet, HAM10000": (88.2,),
        "IRv2-CASA, HAM10000": (94.6,),
        "ResNet50 + TL, HAM10000": (89.08,),
    },
)
TABLE_II = Table(
    "II",
    "Layer-wise details of the proposed custom CNN architecture",
    ("parameters",),
    {
        "Conv2D 32": (896,),
        "Conv2D 64": (18_496,),
        "Conv2D 128": (73_856,),
        "Dense 256": (25_690_112,),
        "Dense (Out) 7": (1_799,),
    },
)
TABLE_III = Table(
    "III",
    "Comparison of total parameters in different models",
    ("parameters",),
    {
        "MobileNet": (4_253_864,),
        "Soft Attention": (47_535_287,),
        "VGG16 + SA": (62_650_711,),
        "ResNet50 + SA": (23_911_319,),
        "ResNet34 + SA": (31_414_167,),
        "IRV2 + SA": (47_535_287,),
        "DenseNet201 + SA": (17_477_463,),
        "IRV2 + GradCam": (47_550_631,),
        "Baseline: ResNet50 + TL": (23_661_703,),
        "Custom CNN Implementation": (692_807,),
    },
)
TABLE_IV = Table(
    "IV",
    "FLOP analysis",
    ("FLOPs", "accuracy %"),
    {"Custom CNN": (30.04e6, 87.05), "TL (ResNet50)": (4.00e9, 89.08)},
)
TEXT = Table(
    "text",
    "Claims of abstract, section IV and conclusion",
    ("value",),
    {
        "ResNet50 parameters, millions": (23.9,),
        "parameters reduced by, %": (96.7,),
        "accuracy gained by transfer learning, %": (0.022,),
        "FLOPs added by transfer learning, %": (13_216.76,),
        "FLOPs reduced by, %": (99.2,),
        "accuracy of the proposed system in section II, %": (87.08,),
        "training time reduced by more than, %": (60.0,),
        "inference faster by, %": (48.5,),
    },
)
