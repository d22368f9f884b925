{{/* Name of everything the release makes. */}}
{{- define "archsearch.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains "archsearch" .Release.Name -}}
{{- .Release.Name | trunc 42 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-archsearch" (.Release.Name | trunc 31 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{- define "archsearch.operator" -}}
{{- include "archsearch.fullname" . }}-operator
{{- end -}}

{{/* The name archsearch and the component operator are what the policies of searches let in: never by a value. */}}
{{- define "archsearch.selectorLabels" -}}
app.kubernetes.io/name: archsearch
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "archsearch.commonLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: archsearch
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "archsearch.labels" -}}
app.kubernetes.io/name: archsearch
app.kubernetes.io/instance: {{ .Release.Name }}
{{ include "archsearch.commonLabels" . }}
{{- end -}}

{{- define "archsearch.podLabels" -}}
{{ include "archsearch.commonLabels" . }}
{{ include "archsearch.selectorLabels" . }}
{{- end -}}

{{/* Labels by one of the templates above, and a user's own: (list root "archsearch.labels" .Values.x). Ours win. */}}
{{- define "archsearch.mergedLabels" -}}
{{- $root := index . 0 -}}
{{- merge (fromYaml (include (index . 1) $root)) (deepCopy (index . 2 | default dict)) | toYaml -}}
{{- end -}}

{{- define "archsearch.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "archsearch.operator" .) -}}
{{- end -}}

{{- define "archsearch.keySecret" -}}
{{- .Values.operator.existingKeySecret | default (printf "%s-key" (include "archsearch.operator" .)) -}}
{{- end -}}

{{/* Reference of one image: (list root "operator"). A digest wins over a tag. */}}
{{- define "archsearch.image" -}}
{{- $root := index . 0 -}}
{{- $image := index $root.Values.images (index . 1) -}}
{{- with $root.Values.images.registry }}{{ . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest -}}@{{ $image.digest }}
{{- else -}}:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "archsearch.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "archsearch.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}
