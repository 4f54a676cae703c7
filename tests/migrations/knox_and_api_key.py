#!/usr/bin/env python3
"""Rows of django-rest-knox and of djangorestframework-api-key: the token, its public part, and what is stored of it.

    pip install Django==5.2.19 django-rest-knox==5.1.0 djangorestframework==3.18.3 djangorestframework-api-key==3.1.0
    python3 knox_and_api_key.py knox > knox.tsv
    python3 knox_and_api_key.py api-key > drf_api_key.tsv
"""

import sys

import django
from django.conf import settings
from django.core.management import call_command

apps = ["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "knox", "rest_framework_api_key"]
database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
settings.configure(INSTALLED_APPS=apps, DATABASES={"default": database}, USE_TZ=True, SECRET_KEY="protects nothing")
django.setup()
call_command("migrate", verbosity=0)

from django.contrib.auth import get_user_model
from knox.models import AuthToken
from rest_framework_api_key.models import APIKey

if sys.argv[1] == "knox":
    user = get_user_model().objects.create_user("ann")
    for prefix in ["", "acme"]:
        for _ in range(3):
            made, token = AuthToken.objects.create(user, prefix=prefix)
            row = AuthToken.objects.get(pk=made.pk)
            print(token, row.token_key, row.digest, sep="\t")
else:
    for _ in range(3):
        made, token = APIKey.objects.create_key(name="ci")
        row = APIKey.objects.get(pk=made.pk)
        print(token, row.prefix, row.hashed_key, sep="\t")
