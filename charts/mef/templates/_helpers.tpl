{{- define "mef.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "mef.selector" -}}
app.kubernetes.io/name: mef-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "mef.labels" -}}
{{ include "mef.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "mef.serviceAccount" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else -}}
{{- include "mef.fullname" . -}}
{{- end -}}
{{- end -}}

{{/* The image of operator or receiver. */}}
{{- define "mef.image" -}}
{{- printf "%s:%s" .image.repository (default .chart.AppVersion .image.tag) -}}
{{- end -}}

{{/* What the operator does in a namespace. Every verb is used; a test runs the operator with these alone. */}}
{{- define "mef.rules" -}}
- apiGroups: [events.mozdef.io]
  # A replay gets its source.
  resources: [eventsources]
  verbs: [get, list, watch, patch]
- apiGroups: [events.mozdef.io]
  resources: [eventsources/status]
  verbs: [patch]
- apiGroups: [events.mozdef.io]
  # Children are owned with blockOwnerDeletion.
  resources: [eventsources/finalizers]
  verbs: [update]
- apiGroups: [events.mozdef.io]
  resources: [eventreplays]
  verbs: [list, watch]
- apiGroups: [events.mozdef.io]
  resources: [eventreplays/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [configmaps, services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  # By name, never listed.
  resources: [secrets]
  verbs: [get]
- apiGroups: [""]
  # By name, never listed: which role of AWS the pods of a source with queue.sqs take.
  resources: [serviceaccounts]
  verbs: [get]
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
- apiGroups: [""]
  # Whether a namespace is going: then nothing is made in it again. A Role reaches its own namespace alone.
  resources: [namespaces]
  verbs: [get]
- apiGroups: [apps]
  resources: [deployments, controllerrevisions]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* The operator's configuration file. */}}
{{- define "mef.configuration" -}}
receiver:
  image: {{ include "mef.image" (dict "image" .Values.receiver.image "chart" .Chart) }}
  imagePullPolicy: {{ .Values.receiver.image.pullPolicy }}
  imagePullSecrets: {{ .Values.imagePullSecrets | toJson }}
  drainNoticeSeconds: {{ .Values.receiver.drainNoticeSeconds }}
  progressDeadlineSeconds: {{ .Values.receiver.progressDeadlineSeconds }}
watchNamespaces: {{ .Values.watchNamespaces | toJson }}
{{- with .Values.clusterId }}
clusterId: {{ . | quote }}
{{- end }}
natsClusters:
{{- range $name, $cluster := .Values.natsClusters }}
  {{ $name }}:
    url: {{ $cluster.url | quote }}
    {{- if $cluster.credentialsSecret }}
    credentials: /etc/mef/nats/{{ $name }}
    {{- end }}
    {{- range $key := list "replicas" "syncAlways" "inboxPrefix" "egress" "port" }}
    {{- if hasKey $cluster $key }}
    {{ $key }}: {{ get $cluster $key | toJson }}
    {{- end }}
    {{- end }}
    {{- if hasKey $cluster "maxBytes" }}
    maxBytes: {{ $cluster.maxBytes | int64 }}
    {{- end }}
{{- else }} {}
{{- end }}
{{- if .Values.awsAccounts }}
{{- $_ := required "clusterId is needed with awsAccounts: stacks are found by it again, so a name that never changes" .Values.clusterId }}
awsAccounts: {{ .Values.awsAccounts | toJson }}
lambda:
  artefacts: {{ .Values.lambda.artefacts | quote }}
{{- end }}
{{- if .Values.awsEndpoint }}
awsEndpoint: {{ .Values.awsEndpoint | quote }}
{{- end }}
{{- if and (hasKey .Values "probeEndpoints") (not .Values.probeEndpoints) }}
probeEndpoints: false
{{- end }}
{{- if or .Values.network.ingressFrom .Values.network.metricsFrom }}
network:
  ingressFrom: {{ .Values.network.ingressFrom | toJson }}
  metricsFrom: {{ .Values.network.metricsFrom | toJson }}
{{- end }}
{{- if (.Values.traces).endpoint }}
traces:
  endpoint: {{ .Values.traces.endpoint | quote }}
  perThousand: {{ .Values.traces.perThousand }}
  egress: {{ default list .Values.traces.egress | toJson }}
{{- end }}
limits:
  concurrency: {{ .Values.limits.concurrency }}
  resyncSeconds: {{ .Values.limits.resyncSeconds }}
  depthSeconds: {{ .Values.limits.depthSeconds }}
{{- end -}}

{{/* The port of the collector. */}}
{{- define "mef.tracesPort" -}}
{{- $url := urlParse .Values.traces.endpoint -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- if $port }}{{ $port }}{{ else if eq $url.scheme "https" }}443{{ else }}80{{ end -}}
{{- end -}}
