{{- define "runlet.name" -}}
{{- default "runlet" .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "runlet.labels" -}}
app.kubernetes.io/name: runlet
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "runlet.selector" -}}
app.kubernetes.io/name: runlet
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "runlet.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "runlet.metricsPort" -}}
{{- regexFind "[0-9]+$" .Values.agent.metricsAddress -}}
{{- end -}}

{{- define "runlet.streamPort" -}}
{{- regexFind "[0-9]+$" .Values.agent.streamAddress -}}
{{- end -}}

{{- define "runlet.metricsOnLoopback" -}}
{{- if regexMatch "^(127\\.|localhost:|\\[::1\\]:)" .Values.agent.metricsAddress }}true{{ end -}}
{{- end -}}

{{/* The Secret with the endpoint's certificate; none on loopback. */}}
{{- define "runlet.metricsSecret" -}}
{{- if .Values.agent.metricsTlsSecret -}}
{{ .Values.agent.metricsTlsSecret }}
{{- else if not (include "runlet.metricsOnLoopback" .) -}}
{{ include "runlet.name" . }}-metrics
{{- end -}}
{{- end -}}

{{/* What a pod needs that is nothing but a client of the API server. */}}
{{- define "runlet.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* The agent's configuration file. */}}
{{- define "runlet.agentConfig" -}}
{{- $agent := .Values.agent -}}
kubernetes: true
{{- range $name := list "address" "root" "state" "logDir" "logMaxSize" "logMaxFiles" "logKeep" "checkpointMaxCount" "checkpointMaxSize" "checkpointKeep" "logLevel" "logFormat" "runtime" "conmon" "criu" "cgroupParent" "cgroupDriver" "rootfsAllow" "hostPathAllow" "podSecurityDefault" "defaultPidsLimit" "streamAddress" "metricsAddress" "metricsProfile" "metricsAuth" "metricsAllow" }}
{{- $value := index $agent $name }}
{{- if not (or (kindIs "invalid" $value) (eq (toString $value) "") (eq (toString $value) "[]")) }}
{{ $name }}: {{ if kindIs "float64" $value }}{{ int64 $value }}{{ else }}{{ toJson $value }}{{ end }}
{{- end }}
{{- end }}
{{- with $agent.budget.memory }}
budgetMemory: {{ toJson . }}
{{- end }}
{{- with $agent.budget.cpuWeight }}
budgetCpuWeight: {{ int64 . }}
{{- end }}
{{- with $agent.budget.pids }}
budgetPids: {{ int64 . }}
{{- end }}
{{- if $agent.policy }}
policy: /etc/runlet/policy.yaml
{{- end }}
{{- if $agent.registryAuthSecret }}
registryAuth: /etc/runlet/registry/.dockerconfigjson
{{- end }}
{{- if include "runlet.metricsSecret" . }}
metricsTlsCert: /etc/runlet/metrics/tls.crt
metricsTlsKey: /etc/runlet/metrics/tls.key
{{- if eq $agent.metricsAuth "mtls" }}
metricsClientCa: /etc/runlet/metrics/ca.crt
{{- end }}
{{- end }}
{{- end -}}
