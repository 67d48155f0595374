"""The clinic's formats: results as FHIR and DICOM."""

from lentigo.clinic.dicom import dicom_heatmap, dicom_report, write_dicom
from lentigo.clinic.fhir import fhir_bundle, fhir_text
from lentigo.clinic.fhir_check import check_fhir

__all__ = ["check_fhir", "dicom_heatmap", "dicom_report", "fhir_bundle", "fhir_text", "write_dicom"]
