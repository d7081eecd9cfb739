{{/* What names and labels have in common. */}}

{{- define "operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of all objects: the release's, with the chart's where that is not in it. */}}
{{- define "operator.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "operator.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "operator.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* What does not change in the life of a release. */}}
{{- define "operator.selector" -}}
app.kubernetes.io/name: {{ include "operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "operator.labels" -}}
{{ include "operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: neo4j-okta-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The ConfigMap that hands the issuer over. */}}
{{- define "operator.issuerConfigMap" -}}
{{ include "operator.fullname" . }}-issuer
{{- end }}

{{/* `spec` of the issuer that the chart hands over, as YAML. */}}
{{- define "operator.issuerSpec" -}}
{{- $issuer := .Values.issuer }}
{{- $secret := dict "name" $issuer.secretName }}
{{- $auth := dict "apiToken" (dict "secretRef" $secret) }}
{{- if $issuer.clientId }}
{{- $auth = dict "privateKeyJwt" (dict "clientId" $issuer.clientId "keyId" $issuer.keyId "secretRef" $secret) }}
{{- end }}
{{- $spec := dict "orgUrl" $issuer.orgUrl "clusterName" $issuer.clusterName "auth" $auth }}
{{- /* A server that exists has an id, and not the default's name. */}}
{{- $server := $issuer.authorizationServer }}
{{- if $server.id }}{{ $server = omit $server "name" }}{{ end }}
{{- $_ := set $spec "authorizationServer" $server }}
{{- with $issuer.allow }}{{ $_ := set $spec "allow" . }}{{ end }}
{{- with $issuer.neo4j }}{{ $_ := set $spec "neo4j" . }}{{ end }}
{{- if $issuer.spec.auth }}{{ $_ := unset $spec "auth" }}{{ end }}
{{- mergeOverwrite $spec (deepCopy $issuer.spec) | toYaml }}
{{- end }}

{{/*
A file of policies: each of its documents, with the chart's labels. In the files
the operator is named as it is in a default installation.
*/}}
{{- define "operator.policies" -}}
{{- $root := .root }}
{{- $user := printf "system:serviceaccount:%s:%s" $root.Release.Namespace (include "operator.serviceAccount" $root) }}
{{- $text := $root.Files.Get .file | replace "system:serviceaccount:neo4j-okta-system:neo4j-okta-operator" $user }}
{{- range splitList "\n---\n" $text }}
{{- $object := fromYaml . }}
{{- $_ := set $object.metadata "labels" (include "operator.labels" $root | fromYaml) }}
---
{{ toYaml $object }}
{{- end }}
{{- end }}
