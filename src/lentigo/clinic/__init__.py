"""The clinic's formats: results as FHIR."""

from lentigo.clinic.fhir import fhir_bundle, fhir_text
from lentigo.clinic.fhir_check import check_fhir

__all__ = ["check_fhir", "fhir_bundle", "fhir_text"]
