// The Kubernetes provider of Pulumi as an executable of our own.
//
// Its published main package embeds two files that its release process makes and its Go module does
// not carry. tools/pulumi_engine.py lays both beside this file.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var mapping []byte

func main() {
	provider.Serve("kubernetes", version.Version, schema, mapping)
}
