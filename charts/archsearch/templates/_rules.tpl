{{/*
What the operator may do in a namespace whose searches it runs: the only list, for a Role and a ClusterRole alike, verb by
verb, no wildcard. A test compares it with what the API server has seen the operator do.
*/}}
{{- define "archsearch.operatorRules" -}}
- apiGroups: [archsearch.io]
  resources: [architecturesearches]
  verbs: [get, list, watch]
- apiGroups: [archsearch.io]
  resources: [architecturesearches/status]
  verbs: [patch]
- apiGroups: [archsearch.io]              # the ledger: written once, listed when the operator starts
  resources: [architecturetrials]
  verbs: [get, list, create]
- apiGroups: [archsearch.io]
  resources: [architecturetrials/status]
  verbs: [patch]
- apiGroups: [batch]                      # an attempt is a Job
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]                         # pods of Jobs are watched; those of controllers are made and replaced
  resources: [pods]
  verbs: [list, watch, create, delete]
- apiGroups: [""]                         # reports of images that can only print
  resources: [pods/log]
  verbs: [get]
- apiGroups: [""]                         # got where the name is taken: an earlier search's, which is about to go?
  resources: [services]
  verbs: [get, create]
- apiGroups: [""]                         # written, never read: no secret of anybody can be seen by the operator
  resources: [secrets]
  verbs: [create]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, create]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}

{{/* What it may do in its own namespace besides: hold its Lease. `create` cannot be limited to a name. */}}
{{- define "archsearch.leaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "archsearch.operator" . }}]
  verbs: [get, patch]
{{- end -}}
