# Counts and lists that many messages use.

n-images = { $n ->
        [one] { $n } image
       *[other] { $n } images
    }
