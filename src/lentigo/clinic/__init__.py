"""The clinic's formats: results as FHIR and DICOM; watched folders and the DICOM listener."""

from lentigo.clinic.dicom import dicom_heatmap, dicom_report, write_dicom
from lentigo.clinic.fhir import fhir_bundle, fhir_text
from lentigo.clinic.fhir_check import check_fhir
from lentigo.clinic.watching import Watched, watch

__all__ = ["Watched", "check_fhir", "dicom_heatmap", "dicom_report", "fhir_bundle", "fhir_text", "watch", "write_dicom"]
