"""Every address, grouped by noun."""

from django.urls import URLPattern, URLResolver, include, path, register_converter
from django.urls.converters import IntConverter

from integration.views import (
    accounts,
    alerts,
    answers,
    articles,
    check,
    cleanup,
    connections,
    couplings,
    errors,
    explain,
    export,
    handling,
    health,
    jobs,
    looks,
    mappings,
    operations,
    overview,
    problems,
    results,
    retries,
    setup,
    support,
    teaching,
)


class Key(IntConverter):
    """A key of the database; a longer number is nobody's and would break SQLite."""

    regex = "[0-9]{1,18}"


register_converter(Key, "key")

Patterns = list[URLPattern | URLResolver]

errors_urls: Patterns = [
    path("", errors.errors, name="errors"),
    path("delete/", errors.delete, name="errors_delete"),
    path("ignore/", handling.ignore, name="errors_ignore"),
    path("reopen/", handling.reopen, name="errors_reopen"),
    path("resolve/", handling.resolve, name="errors_resolve"),
    path("handle/<key:operation_id>/", handling.preview, name="handling"),
    path("handle/<key:operation_id>/start/", handling.start, name="handling_start"),
    path("export.csv", export.csv_file, name="errors_csv"),
    path("export.xlsx", export.xlsx_file, name="errors_xlsx"),
    path("cleanup/", cleanup.preview, name="cleanup"),
    path("cleanup/delete/", cleanup.delete, name="cleanup_delete"),
    path("live/", looks.errors_live, name="errors_live"),
    path("<key:error_id>/", errors.error, name="error"),
    path("<key:error_id>/live/", errors.error_live, name="error_live"),
    path("<key:error_id>/watch/", looks.watch_error, name="error_watch"),
    path("<key:error_id>/answer/", answers.answer_plan, name="error_plan"),
    path("<key:error_id>/answer/give/", answers.give, name="error_answer"),
    path("<key:error_id>/support/", support.support, name="error_support"),
    path("<key:error_id>/retry/", retries.one, name="error_retry"),
    path("retry/", retries.several, name="errors_retry"),
    path("retry/<key:operation_id>/", retries.preview, name="retry"),
    path("retry/<key:operation_id>/start/", retries.start, name="retry_start"),
]
problems_urls: Patterns = [
    path("", problems.problems, name="problems"),
    path("<key:problem_id>/", problems.problem, name="problem"),
    path("<key:problem_id>/watch/", looks.watch_problem, name="problem_watch"),
    path("<key:problem_id>/for-user/", support.for_user, name="problem_for_user"),
    path("<key:problem_id>/assign/", problems.assign, name="problem_assign"),
    path("<key:problem_id>/comment/", problems.comment, name="problem_comment"),
]
couplings_urls: Patterns = [
    path("", couplings.couplings, name="couplings"),
    path("<key:coupling_id>/", couplings.coupling, name="coupling"),
]
jobs_urls: Patterns = [
    path("", jobs.jobs, name="jobs"),
    path("<key:job_id>/", jobs.job, name="job"),
]
mappings_urls: Patterns = [
    path("", mappings.mappings, name="mappings"),
    path("<key:mapping_id>/", mappings.mapping, name="mapping"),
    path("<key:mapping_id>/accept/", mappings.accept, name="mapping_accept"),
    path("<key:mapping_id>/pause/", mappings.pause, name="mapping_pause"),
    path("<key:mapping_id>/resume/", mappings.resume, name="mapping_resume"),
    path("<key:mapping_id>/rules/", mappings.rules, name="mapping_rules"),
    path("<key:mapping_id>/interval/", mappings.interval, name="mapping_interval"),
    path("<key:mapping_id>/review/", mappings.read_again, name="mapping_review"),
]
connections_urls: Patterns = [
    path("", connections.connections, name="connections"),
    path("<key:connection_id>/", connections.connection, name="connection"),
    path("<key:connection_id>/check/", connections.check, name="connection_check"),
    path("<key:connection_id>/enable/", connections.enable, name="connection_enable"),
    path("<key:connection_id>/pause/", connections.pause, name="connection_pause"),
    path("<key:connection_id>/resume/", connections.resume, name="connection_resume"),
    path(
        "<key:connection_id>/secret/<key:endpoint_id>/",
        connections.secret,
        name="connection_secret",
    ),
]
operations_urls: Patterns = [
    path("", operations.operations, name="operations"),
    path("<key:operation_id>/", operations.operation, name="operation"),
    path("<key:operation_id>/result.csv", results.csv_file, name="operation_csv"),
    path("<key:operation_id>/undo/", operations.undo, name="operation_undo"),
    path("<key:operation_id>/cancel/", operations.cancel, name="operation_cancel"),
]
articles_urls: Patterns = [
    path("", articles.articles, name="articles"),
    path("teach/", teaching.teach, name="article_teach"),
    path("<slug:article_id>/", articles.article, name="article"),
    path("<slug:article_id>/change/", teaching.change, name="article_change"),
    path("<slug:article_id>/withdraw/", teaching.withdraw, name="article_withdraw"),
]
account_urls: Patterns = [
    path("account/", accounts.account, name="account"),
    path("account/alerts/", accounts.wish, name="account_alerts"),
    path("account/caught-up/", accounts.caught_up, name="caught_up"),
    path("language/", accounts.language, name="language"),
    path("theme/", accounts.theme, name="theme"),
    path("demonstration/hide/", accounts.hide_demonstration, name="demonstration"),
    path("login/", accounts.login, name="login"),
    path("logout/", accounts.logout, name="logout"),
    path("sign-in/<str:token>/", accounts.sign_in_link, name="sign_in"),
]

urlpatterns: Patterns = [
    path("", overview.overview, name="overview"),
    path("errors/", include(errors_urls)),
    path("problems/", include(problems_urls)),
    path("couplings/", include(couplings_urls)),
    path("jobs/", include(jobs_urls)),
    path("mappings/", include(mappings_urls)),
    path("connections/", include(connections_urls)),
    path("operations/", include(operations_urls)),
    path("articles/", include(articles_urls)),
    path("setup/", setup.setup, name="setup"),
    path("users/", setup.users, name="users"),
    path("retention/", setup.retention, name="retention"),
    path("alerts/", alerts.alerts, name="alerts"),
    path("alerts/test/", alerts.test, name="alerts_test"),
    path("check/", check.check, name="check"),
    path("check/again/", check.check_all, name="check_all"),
    path("explain/", explain.explain, name="explain"),
    path("", include(account_urls)),
    path("favicon.ico", health.favicon, name="favicon"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
