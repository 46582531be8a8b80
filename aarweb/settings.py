"""Every setting of the lab, read from the environment; safe by default, one file for all places."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url
from kombu import Queue

from aarweb import env
from aarweb.schedule import beat_schedule

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = env.folder("DATA_DIR", BASE_DIR / ".data")

DEBUG = env.flag("DEBUG", False)
SECRET_KEY = env.secret("SECRET_KEY")  # `manage.py up` makes one per DATA_DIR
# Runs' seeds derive from it; whoever knows it can predict them, so it never leaves the web and the scorer.
SEED_SECRET = env.secret("SEED_SECRET") or SECRET_KEY
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", [])
PUBLIC_URL = env.text("PUBLIC_URL", f"http://127.0.0.1:{env.integer('PORT', 8000, least=1, most=65535)}")

INSTALLED_APPS = [
    "daphne",
    "unfold",
    "django.contrib.admin.apps.SimpleAdminConfig",  # its modules are loaded by the URLs: workers need none of them
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "csp",
    "django_htmx",
    "pgtrigger",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "aarweb",
    "experiments",
    "forum",
    "agents",
    "oversight",
    "notifications",
    "workers",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "aarweb.admin_policy.AdminPolicyMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "oversight.refusals.refusal_log",
]

ROOT_URLCONF = "aarweb.urls"
ASGI_APPLICATION = "aarweb.asgi.application"
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "aarweb" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# PostgreSQL, always. The pool, not CONN_MAX_AGE: under ASGI the latter ends in "too many clients".
_DATABASE_URL = env.text("DATABASE_URL", "postgres://aarweb@127.0.0.1:5432/aarweb")
try:
    DATABASES: dict[str, Any] = {"default": dict(dj_database_url.parse(_DATABASE_URL))}
except ValueError as error:  # also what urllib says of a wrong host or port
    raise env.BadSetting("DATABASE_URL: expected postgres://USER:PASSWORD@HOST:PORT/NAME") from error
if DATABASES["default"].get("ENGINE") != "django.db.backends.postgresql":
    raise env.BadSetting("DATABASE_URL: the lab needs PostgreSQL: postgres://USER:PASSWORD@HOST:PORT/NAME")
DATABASES["default"].setdefault("OPTIONS", {})
DATABASES["default"]["CONN_MAX_AGE"] = 0
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True  # after a restart of PostgreSQL no request meets a dead connection
DATABASES["default"]["OPTIONS"]["pool"] = {
    "min_size": 1,
    "max_size": env.integer("DATABASE_POOL", 10, least=1, most=100),
    "timeout": 10,
}

REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        # longer than the layer's blocking read of 5 s: redis-py's default of 5 s ends it in an error half of the time
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": 20}], "capacity": 1000, "expiry": 10},
    }
}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

# Celery: messages only wake workers up; rows carry the state, leases and the reaper do the rest.
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_QUEUES = [Queue(name) for name in ("gpu", "evaluation", "default", "agents")]
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # for ever: a broker may be away for as long as it likes
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 12 * 3600,
    # Whoever sends a wake-up does not wait for a broker that is away: the reaper sends it again. Six seconds otherwise.
    "max_retries": 1,
    "interval_start": 0.0,
    "interval_step": 0.1,
    "interval_max": 0.1,
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"  # keeps no file that kill -9 could damage; the reaper needs no memory
REAPER_SECONDS = env.integer("REAPER_SECONDS", 5, least=1, most=3600)
CELERY_BEAT_SCHEDULE = beat_schedule(REAPER_SECONDS)
# How long the answer to a creating call with an Idempotency-Key is kept to be repeated
IDEMPOTENCY_DAYS = env.integer("IDEMPOTENCY_DAYS", 7, least=1, most=3650)
# A worker renews its lease every third of this; the reaper puts back what nobody renewed.
LEASE_SECONDS = env.integer("LEASE_SECONDS", 30, least=3, most=3600)
PROBE_TOP = env.integer("PROBE_TOP", 3, least=0, most=100)  # places of a leaderboard whose holders are probed
RUN_ATTEMPTS = env.integer("RUN_ATTEMPTS", 3, least=1, most=20)

# Claude researchers: any endpoint that speaks the Messages API
ANTHROPIC_API_KEY = env.secret("ANTHROPIC_API_KEY")  # in a lab, only the agents' worker has it
CLAUDE_READY = env.flag("CLAUDE_READY", False)  # "there is one" for everybody else; `manage.py up` sets it
ANTHROPIC_BASE_URL = env.text("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
CLAUDE_MODEL = env.text("CLAUDE_MODEL", "claude-opus-5-5")
CLAUDE_MAX_TOKENS = env.integer("CLAUDE_MAX_TOKENS", 16_000, least=256, most=128_000)
CLAUDE_CONTEXT_TOKENS = env.integer("CLAUDE_CONTEXT_TOKENS", 200_000, least=10_000, most=2_000_000)
CLAUDE_TIMEOUT_SECONDS = env.integer("CLAUDE_TIMEOUT_SECONDS", 600, least=1, most=3600)
# The monitor reads agents' code with a model, once a person has started a Claude campaign; 0 dollars turn it off
MONITOR_DOLLARS_PER_DAY = env.integer("MONITOR_DOLLARS_PER_DAY", 5, least=0, most=100_000)
MONITOR_MODEL = env.text("MONITOR_MODEL") or CLAUDE_MODEL

AUTOSTART = env.flag("AUTOSTART", True)  # a new lab's first campaign: nine search researchers, which need no key
HIDDEN_WORDS = "forum.hidden_texts.hidden_words"  # what records do not repeat; see experiments/hidden_words.py
WRITE_GUARD = "agents.guard.AgentGuard"  # what an agent writes is held and paid for; see experiments/guard.py
METHOD_VERDICT = "oversight.services.effects.verdict_on_method"  # what a run that is submitted later takes over
EVENT_LISTENERS = ["notifications.services.telling.on_event"]  # told of every event in its own transaction
# what each app adds to the archive of a campaign, lowest app first; see experiments/archives/tables.py
ARCHIVE_PARTS = ["experiments.archives.parts", "forum.archive", "agents.archive", "oversight.archive"]

# How many reviewers must agree, each blind to the others, before a hold is decided. A lab of one person sets 1.
GRAVE_FLAG_REVIEWERS = env.integer("GRAVE_FLAG_REVIEWERS", 2, least=1, most=5)

# E-mail to people who asked for it: smtp://USER:PASSWORD@HOST:PORT, smtps://… by TLS; without one it goes to the log
_EMAIL = urlsplit(env.secret("EMAIL_URL"))
try:
    _EMAIL_PORT = _EMAIL.port or (465 if _EMAIL.scheme == "smtps" else 587)
except ValueError as error:
    raise env.BadSetting("EMAIL_URL: expected a port up to 65535 in smtp://USER:PASSWORD@HOST:PORT") from error
if _EMAIL.scheme not in ("", "smtp", "smtps"):
    raise env.BadSetting("EMAIL_URL: expected smtp://USER:PASSWORD@HOST:PORT or smtps://USER:PASSWORD@HOST:PORT")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if _EMAIL.scheme else 'console'}.EmailBackend"
EMAIL_HOST, EMAIL_PORT = _EMAIL.hostname or "localhost", _EMAIL_PORT
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_EMAIL.username or ""), unquote(_EMAIL.password or "")
EMAIL_USE_SSL = _EMAIL.scheme == "smtps"
EMAIL_USE_TLS = bool(_EMAIL.username) and not EMAIL_USE_SSL  # a password never crosses the network in the clear
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", "aarweb@localhost")
WEBHOOK_PRIVATE = env.flag("WEBHOOK_PRIVATE", False)  # webhooks may go to private addresses and by plain http

STORAGES = {
    # Hidden labels. On a cluster only the evaluation machines mount or may read this place.
    "ground_truth": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": str(env.folder("GROUND_TRUTH_DIR", DATA_DIR / "ground_truth")),
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
FEATURE_CACHE_DIR = env.folder("FEATURE_CACHE_DIR", DATA_DIR / "features")
AUDIT_HEADS_DIR = DATA_DIR / "audit"  # ends of the audit chain; on the machine of the evaluation worker
WORKSPACES_DIR = DATA_DIR / "workspaces"  # agents' own files; on the machine of the agents worker
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "aarweb" / "static"]

AUTHENTICATION_BACKENDS = ["aarweb.backends.OneQueryBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
LOGIN_LINK_SECONDS = env.integer("LOGIN_LINK_SECONDS", 86_400, least=60, most=604_800)
PASSWORD_RESET_TIMEOUT = LOGIN_LINK_SECONDS
SESSION_COOKIE_AGE = 14 * 86_400
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"

# HTTPS=1 behind a TLS proxy; a lab on loopback speaks plain HTTP.
HTTPS = env.flag("HTTPS", False)
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
UNFOLD = {"SITE_TITLE": "aarweb", "SITE_HEADER": "aarweb", "SITE_URL": "/", "SHOW_VIEW_ON_SITE": False}
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
PERMISSIONS_POLICY: dict[str, list[str]] = {
    name: [] for name in ("camera", "geolocation", "microphone", "payment", "usb", "display-capture")
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 2**20

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "agents.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated", "experiments.api.access.HasRole"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["experiments.api.reading.BoundedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "aarweb.openapi.Schema",
    "EXCEPTION_HANDLER": "aarweb.problems.handle",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "aarweb",
    "DESCRIPTION": "The lab's REST API: benchmarks, experiments, evaluations, leaderboard, events.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    # without the hook that gives enums names of their own: every app has a "state" and a "kind", and names would clash
    "POSTPROCESSING_HOOKS": ["aarweb.openapi.add_problem"],
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.channels.server": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "mcp": {"level": "WARNING"},
    },
}

if not SECRET_KEY and not DEBUG:
    raise env.BadSetting("SECRET_KEY is not set: give SECRET_KEY or SECRET_KEY_FILE, or start the lab with `make run`")
SECRET_KEY = SECRET_KEY or "only-for-debug"
