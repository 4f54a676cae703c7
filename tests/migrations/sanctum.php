<?php

// Rows of Laravel Sanctum: the token, its id, and what `token` stores of it.
//
// Runs `HasApiTokens` of Sanctum and `Str` of Laravel. The model is a class of this script, so that no database is needed.
// Needs the Debian packages php-cli and php-illuminate-support, and the sources of laravel/sanctum at v3.2.5 and v4.0.1:
//
//     php sanctum.php SOURCES-OF-3.2.5 > sanctum_3.tsv
//     php sanctum.php SOURCES-OF-4.0.1 acme_ > sanctum_4.tsv

namespace Laravel\Sanctum {
    class PersonalAccessToken
    {
        public function __construct(public int $id, public array $columns)
        {
        }

        public function getKey()
        {
            return $this->id;
        }
    }
}

namespace {
    require_once '/usr/share/php/Illuminate/Support/autoload.php';
    require_once $argv[1] . '/src/NewAccessToken.php';
    require_once $argv[1] . '/src/HasApiTokens.php';

    function config($name, $default = null)
    {
        return $GLOBALS['prefix'];
    }

    class User
    {
        use Laravel\Sanctum\HasApiTokens;

        private int $made = 0;

        public function tokens()
        {
            return $this;
        }

        public function create(array $columns)
        {
            // Ids of one, two and ten digits.
            return new Laravel\Sanctum\PersonalAccessToken([1, 17, 4294967296][$this->made++], $columns);
        }
    }

    foreach (array_unique(['', $argv[2] ?? '']) as $prefix) {
        $user = new User();
        for ($count = 0; $count < 3; $count++) {
            $made = $user->createToken('ci');
            echo implode("\t", [$made->plainTextToken, $made->accessToken->id, $made->accessToken->columns['token']]), "\n";
        }
    }
}
