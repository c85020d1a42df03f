#!/usr/bin/env python3
"""Prints, for the resource types a stack is made of, the properties whose change replaces the resource: `createOnlyProperties`
of the resource schemas that AWS publishes and cfn-lint carries. Nested ones by their first name."""
import json
import pathlib
import sys

import cfnlint

TYPES = """AWS::ApiGateway::BasePathMapping AWS::ApiGateway::Deployment AWS::ApiGateway::Method AWS::ApiGateway::Resource
AWS::ApiGateway::RestApi AWS::ApiGateway::Stage AWS::ApiGatewayV2::Api AWS::ApiGatewayV2::ApiMapping
AWS::ApiGatewayV2::Integration AWS::ApiGatewayV2::Route AWS::ApiGatewayV2::Stage AWS::CloudWatch::Alarm AWS::IAM::Role
AWS::Lambda::Function AWS::Lambda::Permission AWS::Logs::LogGroup AWS::SQS::Queue AWS::SQS::QueuePolicy""".split()
found = {}
for path in (pathlib.Path(cfnlint.__file__).parent / "data/schemas/resources").glob("*.json"):
    schema = json.loads(path.read_text())
    kind = schema.get("typeName")
    if kind in TYPES:
        names = {pointer.split("/")[2] for pointer in schema.get("createOnlyProperties", [])}
        found.setdefault(kind, set()).update(names)
missing = set(TYPES) - set(found)
if missing:
    sys.exit(f"no schema of {sorted(missing)}")
print("# Made by tests/bed/aws/create-only.py from the resource schemas in cfn-lint; a test makes it again and compares.")
for kind in sorted(found):
    print(f"{kind}: [{', '.join(sorted(found[kind]))}]")
