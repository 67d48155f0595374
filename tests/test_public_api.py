"""The public names, one by one: who adds, renames or removes one does it here too, on purpose."""

import inspect
from importlib import import_module

import pytest

PUBLIC = {
    "lentigo": """
        Classifier Verdict __version__
    """,
    "lentigo.runtime": """
        DECISIONS NOTICE Bundle BundleMetadata Classifier Ensemble Failure FileResults Head IdSet LiteRT
        OODThreshold OperatingPoint OptionalInput Origin Outputs Predictor Risk Verdict
        check_prevalence classify_files decode describe_models find_images is_heatmap
        read_prevalence render shipped_models verdict_schema
    """,
    "lentigo.bulk": """
        ENGINES Summary classify
    """,
    "lentigo.data": """
        COLUMNS LabelMap PROTOCOLS Root Labels Pairs Pixels Problem Records Split fetch find_groups freeze
        Source load_pixels load_split pack read read_pairs split write_split
    """,
    "lentigo.audit": """
        Audit Conflict Description Duplicate Fingerprints LeakReport LeakStudy Recall Search audit describe
        find_duplicates find_with_recall leak_report nearest_neighbour_study read_split take_fingerprints write_audit
    """,
    "lentigo.audit_log": """
        AuditLog AuditReport verify_audit_log
    """,
    "lentigo.clinic": """
        Watched check_fhir dicom_heatmap dicom_report fhir_bundle fhir_text watch write_dicom
    """,
    "lentigo.models": """
        Counts Entry FlipTTA Loaded Normalisation build count_parameters describe entry load_weights
        names parse_options register
    """,
    "lentigo.training": """
        Augment BatchContext Hook Range Recipe Run Search Space Trial fine_tune load_run load_space
        register_callback register_loss search search_from train train_from
    """,
    "lentigo.evaluation": """
        Calibration Combined Comparison DecisionCurve Fairness Metrics Mistakes OODRejections
        Predictions Recalibration ReliabilityDiagram RiskCoverage Robustness calibrate combine
        combine_tables compare compare_runs compare_tables conformal decision_curve draw_mistakes
        evaluate fairness find_mistakes measure ood_rejections operating_points pool predict
        predict_files predict_own_part predict_part recalibrate reliability_diagram risk_coverage
        robustness skin_tones summarise write_mistakes
    """,
    "lentigo.comparison": """
        Change FollowUp Index Neighbour Outlier Similar UglyDuckling Visit build_index follow load_index
        read_visits similar ugly_duckling
    """,
    "lentigo.export": """
        LiteFile litert setup_litert
        POLICIES Parity Policy bundle check_parity convert fuse recalibrate summarise upgrade
    """,
    "lentigo.compression": """
        ALLOWED Allowed Compressed CompressionRecipe CompressionRecord Difference Gate
        GateReport Sensitivity SoftLabels Sparsity Step StepRecord Target TaughtTeachers TeacherSpec
        Verification build_soft_labels check cluster compress learned_ranges load_soft_labels
        load_teachers prune_structured quantize sensitivity soft_labels_from sparsity train_teachers
        train_teachers_from verify verify_files
    """,
    "lentigo.explanation": """
        METHODS ExplainedFile Explanation Method draw_explanation explain explain_files of_verdict open_model
        parse_settings save_explanation
    """,
    "lentigo.explanation.measures": """
        Curve alike cascade deletion insertion pointing_game small_changes stability
    """,
    "lentigo.report": """
        report
    """,
    "lentigo.studies": """
        BUDGETS SEARCH_SPACES STUDIES Budget Check Figure Measured PublishedRecipe Study System
        Table Variant reproduce search_space
    """,
    "lentigo.serve": """
        Classified Client Diagnosis Model Models Problem RawOutputs Result RiskValues Settings create_app
        load_settings serve
    """,
    "lentigo.page": """
        ENGINES Page operators report_html write_page
    """,
    "lentigo.texts": """
        LANGUAGES Text catalogue percent text
    """,
    "lentigo.labels": """
        BINARY HAM10000 ISIC2019 KNOWN PAD_UFES_20 Label LabelMapping LabelSet find_label_set
        find_mapping read_label_set read_mapping
    """,
}


@pytest.mark.parametrize("package", PUBLIC)
def test_the_public_names_are_these(package):
    assert sorted(import_module(package).__all__) == sorted(PUBLIC[package].split())


@pytest.mark.parametrize("package", PUBLIC)
def test_every_public_name_is_there_and_what_can_be_called_has_words(package):
    module = import_module(package)
    for name in PUBLIC[package].split():
        found = getattr(module, name)
        if inspect.isclass(found) or inspect.isroutine(found):
            assert inspect.getdoc(found), f"{package}.{name} has no docstring"
            assert found.__module__.startswith("lentigo"), f"{package}.{name} is another library's"


def test_the_package_lists_its_parts():
    lentigo = import_module("lentigo")
    parts = {name.split(".")[1] for name in PUBLIC if name != "lentigo"}
    assert parts <= set(dir(lentigo))
    for name in set(dir(lentigo)) - set(vars(lentigo)):
        assert getattr(lentigo, name) is not None
