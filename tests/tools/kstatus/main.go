// Says what kstatus, by which Flux judges the health of an object, makes of each
// one: reads a JSON array of objects from standard input, and writes a JSON array
// of their statuses.
package main

import (
	"encoding/json"
	"io"
	"log"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubejson "k8s.io/apimachinery/pkg/util/json"
)

func main() {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	// Unlike encoding/json, it reads whole numbers as such.
	var objects []any
	if err := kubejson.Unmarshal(input, &objects); err != nil {
		log.Fatal(err)
	}
	statuses := make([]string, 0, len(objects))
	for _, object := range objects {
		fields, _ := object.(map[string]any)
		result, err := status.Compute(&unstructured.Unstructured{Object: fields})
		if err != nil {
			log.Fatal(err)
		}
		statuses = append(statuses, result.Status.String())
	}
	if err := json.NewEncoder(os.Stdout).Encode(statuses); err != nil {
		log.Fatal(err)
	}
}
