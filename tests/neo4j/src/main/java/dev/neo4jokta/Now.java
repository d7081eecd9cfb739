package dev.neo4jokta;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;

/**
 * The realm's time. Tests let it pass by writing seconds into the file that the
 * property {@code oidc.clock} names, as they do for Okta and the operator.
 */
final class Now {
    private static final String FILE = System.getProperty("oidc.clock");

    private Now() {}

    static Instant now() {
        Instant now = Instant.now();
        if (FILE == null) {
            return now;
        }
        try {
            return now.plusSeconds(Long.parseLong(Files.readString(Path.of(FILE)).trim()));
        } catch (NoSuchFileException nothing) {
            return now;
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
