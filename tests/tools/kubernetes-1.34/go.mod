// What the API of the oldest Kubernetes that is tested looks like: only the files
// below api/openapi-spec are read, nothing is built.
module neo4j-okta.dev/tests/tools/kubernetes-1.34

go 1.26.0

require k8s.io/kubernetes v1.34.4
